import { heardAll, type PeerLoss, type Unheard } from '../failover/unheard.ts';
import { UpstreamError } from '../upstream/upstream-error.ts';
import type { QuestionProgress } from './peer-marks.ts';

/** What this edge knows of the writes that another one has acknowledged. Times are those of the clock of all entries. */
export class PeerHearing {
  readonly #peer: string;
  /** The process that answered last. */
  #process: string | undefined;
  #heardUntil: number | undefined;
  /** Everything was heard of the process, and nothing has failed since. */
  #inStep = false;
  /** The question of this edge stands there. */
  #stands = false;
  /** The process has ended, and everything was heard before. */
  #heardAll = false;
  /** When the process was known to be gone. */
  #goneAt: number | undefined;
  /** What was not heard of a process before the one that answers now. */
  #before: Unheard | undefined;
  /** The connection of the last question ended, so it is worth asking at once whether a process still listens there. */
  hasJustEnded = false;
  readonly progress: QuestionProgress = {
    onStands: () => {
      this.#stands = true;
    },
    onNews: () => {
      this.#stands = false;
    },
  };

  constructor(peer: string) {
    this.#peer = peer;
  }

  get unheard(): Unheard[] {
    const before = this.#before ? [this.#before] : [];
    if (this.#inStep || this.#heardAll) return before;
    return [...before, { peer: this.#peer, since: this.#heardUntil, until: this.#goneAt }];
  }

  /** A process has answered. It may not have told everything yet. */
  answered(process: string, now: number): void {
    this.#stands = false;
    this.hasJustEnded = false;
    if (this.#process === process) return;
    if (this.#process !== undefined && !this.#heardAll)
      this.#before = { peer: this.#peer, since: this.#heardUntil, until: this.#goneAt ?? now };
    this.#process = process;
    this.#heardUntil = undefined;
    this.#inStep = false;
    this.#heardAll = false;
    this.#goneAt = undefined;
  }

  /**
   * The process that answered has told everything.
   * @param until the earliest time at which it can have done so
   * @param ended it acknowledges no write any more
   */
  heard(until: number, ended = false): void {
    this.#heardUntil = until;
    this.#inStep = true;
    this.#heardAll = ended;
    this.#goneAt = undefined;
  }

  /** Not everything that the process has told is read. */
  behind(): void {
    this.#inStep = false;
  }

  /** A question failed. @param error undefined: the answering party is no edge of this site */
  lost(error: unknown, now: number): void {
    const loss = lossOf(error);
    const hearing = { heardUntil: this.#heardUntil, stands: this.#stands };
    this.#heardAll ||= this.#heardUntil !== undefined && heardAll(hearing, loss, now);
    const closed = error instanceof UpstreamError && (error.reason === 'short' || error.reason === 'reset');
    this.hasJustEnded = closed && !this.hasJustEnded;
    this.#inStep = false;
    this.#stands = false;
    if (loss === 'refused') this.#goneAt ??= now;
  }
}

function lossOf(error: unknown): PeerLoss {
  if (!(error instanceof UpstreamError)) return 'silent';
  if (error.reason === 'short') return 'ended';
  return error.reason === 'connect' && error.summary.endsWith('ECONNREFUSED') ? 'refused' : 'silent';
}
