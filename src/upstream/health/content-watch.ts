import { setTimeout as wait } from 'node:timers/promises';
import { monotonicNow } from '../../clock/clock.ts';
import {
  type ContentVerdict,
  endsLook,
  type FoundPush,
  judgeContent,
  type PushEvidence,
  type StandingPush,
} from '../../failover/lost-content.ts';
import type { CanaryState, ContentLoss } from '../../failover/view.ts';
import { imageName } from '../../oci/reference.ts';

export interface ContentWatchOptions {
  /** Looks for a pushed image. Undefined: the edge has no credentials of its own, or the upstream is not up. May reject. */
  finder: () => ((push: StandingPush) => Promise<FoundPush>) | undefined;
  /** Reads the canary; the read begins after the call. Never rejects. */
  confirmCanary: () => Promise<CanaryState>;
  /** Called when content is found to be lost; undefined: it is no longer missed. */
  onNews: (loss: ContentLoss | undefined) => void;
  now?: () => number;
}

/** Pushes that are asked for at once. */
const AT_ONCE = 4;
/** Milliseconds between the starts of two looks. */
const GAP_MS = 250;
/** Milliseconds that a read waits for a look. */
const WAIT_MS = 2500;
const MAX_NAMED = 4;

/** Whether an upstream still has what it acknowledged (rule 9): looks for the newest pushes, and remembers a loss until it is accepted. */
export class ContentWatch {
  /** The acknowledged pushes that still stand, newest first. */
  pushes: () => readonly StandingPush[] = () => [];
  readonly #options: ContentWatchOptions;
  readonly #now: () => number;
  #loss: { loss: ContentLoss; gone: readonly StandingPush[] } | undefined;
  /** When the last look began that found all well. Before the first look nothing is missed. */
  #soundAt: number;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #look: Promise<void> | undefined;
  #nextLook: Promise<void> | undefined;

  constructor(options: ContentWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonicNow;
    this.#soundAt = this.#now();
  }

  /** The content that is known to be lost; undefined: none. The loss ends once none of the pushes that are gone stands any more. */
  get lost(): ContentLoss | undefined {
    if (!this.#loss) return undefined;
    const standing = this.pushes();
    const stillGone = this.#loss.gone.some((push) => standing.some((one) => isSame(one, push)));
    if (!stillGone) this.#end();
    return this.#loss?.loss;
  }

  /**
   * Whether the upstream has lost content, by a look that begins after this call. Never rejects. If the look takes too long, what is known
   * counts.
   * @param maxAgeMs a look that began so many milliseconds before will do
   */
  async hasLost(maxAgeMs = 0): Promise<boolean> {
    if (this.lost) return true;
    const look = maxAgeMs > 0 && this.#lookedAt >= this.#now() - maxAgeMs ? this.#look : this.look();
    const control = new AbortController();
    const late = wait(WAIT_MS, undefined, { signal: control.signal, ref: false }).catch(() => undefined);
    await Promise.race([look, late]);
    control.abort();
    return this.lost !== undefined;
  }

  /** Looks for the newest pushes. Never rejects. The look begins after this call; simultaneous callers share one. */
  look(): Promise<void> {
    if (!this.#look) {
      this.#look = this.#run().finally(() => {
        this.#look = undefined;
      });
      return this.#look;
    }
    // The look under way began before this call.
    this.#nextLook ??= this.#look.then(() => {
      this.#nextLook = undefined;
      return this.look();
    });
    return this.#nextLook;
  }

  async #run(): Promise<void> {
    if (this.pushes().length === 0) {
      this.#soundAt = this.#now();
      return;
    }
    const pause = this.#lookedAt + GAP_MS - this.#now();
    if (pause > 0) await wait(pause, undefined, { ref: false });
    const began = this.#now();
    this.#lookedAt = began;
    const find = this.#options.finder();
    if (!find) return;
    const known = this.lost !== undefined;
    const facts = { soundAt: this.#soundAt, known, now: began };
    const asked = await this.#ask(find, facts);
    const canary = await this.#options.confirmCanary();
    this.#apply(judgeContent(asked, { ...facts, canary }), asked, began);
  }

  async #ask(
    find: (push: StandingPush) => Promise<FoundPush>,
    facts: Parameters<typeof endsLook>[1],
  ): Promise<(StandingPush & PushEvidence)[]> {
    const asked: (StandingPush & PushEvidence)[] = [];
    const standing = this.pushes();
    for (let index = 0; index < standing.length; index += AT_ONCE) {
      const found = await Promise.all(
        standing
          .slice(index, index + AT_ONCE)
          .map(async (push) => ({ ...push, found: await find(push).catch((): FoundPush => 'unclear') })),
      );
      asked.push(...found);
      if (found.some((one) => endsLook(one, facts))) break;
    }
    return asked;
  }

  #apply(judged: ContentVerdict, asked: readonly (StandingPush & PushEvidence)[], began: number): void {
    if (judged.verdict === 'intact') {
      this.#soundAt = began;
      if (this.#loss) this.#end();
    }
    if (judged.verdict !== 'lost') return;
    const gone = asked.filter(({ found, at }) => found === 'gone' && at >= judged.since);
    const images = gone.map(({ repository, tag }) => imageName(repository, tag));
    const isNews = this.#loss === undefined;
    const loss: ContentLoss = {
      since: judged.since,
      noticedAt: this.#loss?.loss.noticedAt ?? began,
      gone: judged.gone,
      images: [...new Set(images)].slice(0, MAX_NAMED),
    };
    this.#loss = { loss, gone };
    if (isNews) this.#options.onNews(loss);
  }

  #end(): void {
    this.#loss = undefined;
    this.#soundAt = this.#now();
    this.#options.onNews(undefined);
  }
}

function isSame(one: StandingPush, other: StandingPush): boolean {
  return one.repository === other.repository && one.tag === other.tag && one.digest === other.digest;
}
