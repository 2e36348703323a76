import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { isoTime, monotonicNow } from '../clock/clock.ts';
import type { Unheard } from '../failover/unheard.ts';
import type { PeerSight } from '../failover/vip-eligibility.ts';
import { inBackground } from '../http/background.ts';
import { HeardSight } from './heard-sight.ts';
import { PeerClock, type PeerTime } from './peer-clock.ts';
import { PeerHearing } from './peer-hearing.ts';
import type { QuestionProgress } from './peer-marks.ts';
import { PEER_VERSION, type PeerAnswer, type PeerQuestion } from './peer-message.ts';
import { type PeerRefusal, strangerReason } from './peer-refusal.ts';
import type { PeerSealer } from './peer-sealer.ts';
import type { PeerState, PeerView } from './peer-view.ts';
import type { SharedStore } from './shared-store.ts';

export interface PeerLinkOptions {
  /** The URL from the configuration. */
  url: string;
  address: string;
  /**
   * @param progress called while the question stands; omitted: it may not stand
   * @returns the sealed answer, or how the answering party refuses the question (undefined: as an edge with another key). @throws Error when there is no answer
   */
  ask: (text: string, progress?: QuestionProgress) => Promise<string | PeerRefusal | undefined>;
  sealer: () => PeerSealer;
  stores: readonly SharedStore[];
  /** Id of this process. */
  node: string;
  /** The clock of all entries of this process. */
  now: () => number;
  /** Called with each change of state. */
  onState: (view: PeerView) => void;
}

/** Milliseconds between two questions where they do not stand, which is how long news takes to reach this edge. */
const INTERVAL_MS = 1000;
/** The edges of a site whose network was cut agree again within this time, and that of one question. */
const MAX_INTERVAL_MS = 2000;
/** One of so many questions does not stand: how long a quick answer takes bounds the difference of the two clocks, which drift apart. */
const QUICK_EVERY = 30;
const SELF_INTERVAL_MS = 30_000;

/** Asks one edge repeatedly for what changed there. */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  readonly #stopped = new AbortController();
  /** Id of this link, by which the other edge knows whose question stands. */
  readonly #id = randomBytes(16).toString('base64url');
  /** What the other edge may have acknowledged without this one. */
  readonly #hearing: PeerHearing;
  readonly #sight: HeardSight;
  /** The process that answered last, and the version of each store that was read. */
  #progress: { of: string; known: Record<string, number> } | undefined;
  #clock: { of: string; clock: PeerClock } | undefined;
  #state: LinkState;
  #failures = 0;
  /** Whether the next question may stand. */
  #mayStand = false;
  #rounds = 0;
  /** Counts resyncs, so that an answer from before one is not taken for progress. */
  #resyncs = 0;

  constructor(options: PeerLinkOptions) {
    const { url, address } = options;
    this.#options = options;
    this.#hearing = new PeerHearing(address);
    this.#sight = new HeardSight(address);
    const since = monotonicNow();
    const told = { heardAt: null, entries: 0, release: null, clockAheadMs: null };
    this.#state = { url, address, state: 'asking', since, reason: 'not asked yet', ...told };
  }

  get view(): PeerView {
    const { since, heardAt, ...shown } = this.#state;
    const { release = null, clockAheadMs = null } = this.#sight;
    return {
      ...shown,
      release,
      clockAheadMs,
      since: isoTime(since),
      heardAt: heardAt === null ? null : isoTime(heardAt),
    };
  }

  /** What the other edge sees, as it told last. Undefined: it is not known, or the address is this edge itself. */
  get sight(): PeerSight | undefined {
    return this.#sight.current;
  }

  /** Times in which the other edge may have acknowledged writes that were not told here. */
  get unheard(): Unheard[] {
    return this.#state.state === 'itself' ? [] : this.#hearing.unheard;
  }

  /** Resolves once this edge has read everything, or cannot; the link keeps asking until `stop`. */
  async start(): Promise<void> {
    const poll = inBackground('peer', () => this.poll());
    do await poll();
    while (this.#state.state === 'behind' && !this.#stopped.signal.aborted);
    void this.#loop();
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Reads everything again, because this edge has dropped something that was told before. */
  resync(): void {
    this.#resyncs += 1;
    this.#progress = undefined;
    this.#hearing.behind();
  }

  /** One question and its answer. Never rejects. */
  poll(): Promise<void> {
    return this.#ask(false);
  }

  async #ask(stand: boolean): Promise<void> {
    const { ask, sealer, node, now } = this.#options;
    const beginning = this.#resyncs;
    const link = stand ? { link: this.#id } : {};
    const question: PeerQuestion = {
      v: PEER_VERSION,
      kind: 'question',
      nonce: randomBytes(16).toString('base64url'),
      ...(this.#progress ? { of: this.#progress.of } : {}),
      known: this.#progress?.known ?? {},
      ...link,
    };
    try {
      const sealed = await sealer().seal(question);
      const [asked, sent] = [now(), monotonicNow()];
      const text = await ask(sealed, stand ? this.#hearing.progress : undefined);
      const answered = now();
      const answer = typeof text === 'string' ? await sealer().openAnswer(text) : undefined;
      this.#mayStand = answer?.stands ?? false;
      if (!answer || answer.nonce !== question.nonce)
        this.#refuse(strangerReason(typeof text === 'string' ? { status: 200 } : text));
      else if (answer.node === node) this.#setState('itself', 'the address is this edge itself');
      else {
        this.#sight.take(answer.node, answer.sight, sent, monotonicNow(), stand);
        this.#mergeAnswer(answer, this.#localNow(answer, asked, answered, stand), beginning);
      }
    } catch (error) {
      this.#mayStand = false;
      this.#hearing.lost(error, now());
      this.#setState('unreachable', error instanceof Error ? error.message : String(error));
    }
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopped;
    const ask = inBackground('peer', () => {
      this.#rounds += 1;
      return this.#ask(this.#state.state === 'in-step' && this.#rounds % QUICK_EVERY !== 0);
    });
    while (!signal.aborted) {
      // The wait rejects only when the link stops.
      await wait(this.#pause(), undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await ask();
    }
  }

  #pause(): number {
    // This edge offers itself that a question may stand, too. It has nothing to wait for there.
    if (this.#state.state === 'itself') return SELF_INTERVAL_MS;
    // A connection that has just ended tells whether a process still listens there.
    if (this.#state.state === 'behind' || this.#mayStand || this.#hearing.hasJustEnded) return 0;
    return Math.min(INTERVAL_MS * 2 ** Math.min(this.#failures, 8), MAX_INTERVAL_MS);
  }

  #refuse(reason: string): void {
    this.#hearing.lost(undefined, this.#options.now());
    this.#setState('stranger', reason);
  }

  /** This process's time of the moment from which the ages in the answer count, and the bounds of that time. */
  #localNow({ node, now }: PeerAnswer, asked: number, answered: number, stood: boolean): PeerTime & { now: number } {
    if (this.#clock?.of !== node) this.#clock = { of: node, clock: new PeerClock() };
    const { clock } = this.#clock;
    return { now: clock.toLocal(now, asked, answered, stood), ...clock.bounds(now) };
  }

  #mergeAnswer({ node, stores, ended = false }: PeerAnswer, at: PeerTime & { now: number }, beginning: number): void {
    this.#hearing.answered(node, at.now);
    const before = this.#progress?.of === node ? this.#progress.known : {};
    const known: Record<string, number> = {};
    let more = false;
    for (const store of this.#options.stores) {
      const told = stores[store.name];
      if (!told) continue;
      const news = store.merge(told.entries, at.now, at);
      if (news === undefined) {
        this.#refuse(`its ${store.name} entries cannot be read`);
        return;
      }
      known[store.name] = told.next;
      this.#state.entries += news;
      // A store that makes no progress must not be asked again without a pause.
      more ||= told.more && told.next > (before[store.name] ?? 0);
    }
    if (beginning === this.#resyncs) this.#progress = { of: node, known };
    this.#state.heardAt = monotonicNow();
    if (more || beginning !== this.#resyncs) this.#hearing.behind();
    else this.#hearing.heard(at.earliest, ended);
    this.#setState(
      more ? 'behind' : 'in-step',
      more ? 'it is still sending what it knows' : 'it has sent all that it knows',
    );
  }

  #setState(state: PeerState, reason: string): void {
    const well = state === 'in-step' || state === 'behind' || state === 'itself';
    this.#failures = well ? 0 : this.#failures + 1;
    const changed = state !== this.#state.state;
    if (state !== 'in-step' && state !== 'behind') this.#sight.forget();
    this.#state = { ...this.#state, state, reason, since: changed ? monotonicNow() : this.#state.since };
    if (changed && !this.#stopped.signal.aborted) this.#options.onState(this.view);
  }
}

/** A view with its times in monotonic milliseconds. */
interface LinkState extends Omit<PeerView, 'since' | 'heardAt'> {
  since: number;
  heardAt: number | null;
}
