import { monotonicNow } from '../clock/clock.ts';
import { ACKNOWLEDGE_MS } from '../failover/unheard.ts';
import { NEWS, STANDS, type StandingAnswer } from './peer-marks.ts';
import type { PeerQuestion } from './peer-message.ts';
import type { SharedStore } from './shared-store.ts';

/** Milliseconds after which a question that stands is answered, so that both sides know that the other one lives. */
export const STAND_MS = 1000;
/** Most links of other edges whose questions stand. Further ones are answered at once, and replies do not wait for them. */
const MAX_FOLLOWERS = 64;
/** Milliseconds after which a link that does not ask any more is forgotten. */
const FORGET_MS = 30_000;

type Versions = Readonly<Record<string, number>>;

/** A link of another edge to this one. */
interface Follower {
  /** What it has read of each store: its last question acknowledges that. */
  known: Versions;
  askedAt: number;
  /** Replies wait for it. False: it did not acknowledge in time, and has not caught up. */
  inStep: boolean;
  /** Answers its question, if one stands. */
  answer: (() => void) | undefined;
  /** Its address. */
  from: string;
  /** Since when it has been behind because it did not acknowledge in time. */
  lateSince: number | undefined;
}

/** Followers that have not acknowledged some versions. */
interface Wait {
  versions: Versions;
  open: Set<Follower>;
  done: () => void;
}

export interface FollowersOptions {
  stores: readonly Pick<SharedStore, 'name' | 'head'>[];
  now?: () => number;
  /** Called with the address of an edge that did not acknowledge in time. */
  onLate?: (from: string) => void;
}

/**
 * The edges that hear of each write before its reply. Such an edge keeps a question standing here. `tell` answers it, and the next question
 * acknowledges the answer by the versions that it has read.
 */
export class Followers {
  readonly #stores: FollowersOptions['stores'];
  readonly #now: () => number;
  readonly #onLate: (from: string) => void;
  readonly #followers = new Map<string, Follower>();
  readonly #waits = new Set<Wait>();
  /** The versions that followers must have heard, because a reply was sent or is waiting. */
  #told: Versions = {};
  /** This edge acknowledges no write any more. */
  ended = false;
  /** How often a reply did not wait any longer for an edge. */
  late = 0;

  constructor({ stores, now = monotonicNow, onLate = () => undefined }: FollowersOptions) {
    this.#stores = stores;
    this.#now = now;
    this.#onLate = onLate;
  }

  /** Links for which replies wait. */
  get inStep(): number {
    return [...this.#followers.values()].filter((one) => one.inStep).length;
  }

  /** The edges that did not acknowledge in time, and have not caught up since. Those that do not ask any more are unreachable, not behind. */
  get behind(): { from: string; since: number }[] {
    const before = this.#now() - FORGET_MS;
    return [...this.#followers.values()].flatMap(({ from, askedAt, lateSince: since }) =>
      since === undefined || askedAt < before ? [] : [{ from, since }],
    );
  }

  /** Whether the questions of a link may stand. */
  hasRoom(link: string | undefined): boolean {
    if (this.#followers.size >= MAX_FOLLOWERS) this.#forget();
    return this.#followers.size < MAX_FOLLOWERS || (link !== undefined && this.#followers.has(link));
  }

  /**
   * Takes the acknowledgement in a question, and lets the question stand if there is nothing that must be told at once.
   * @returns resolves when the question is to be answered
   */
  async stand({ link, known }: Pick<PeerQuestion, 'link' | 'known'>, answer: StandingAnswer): Promise<void> {
    if (link === undefined || !this.hasRoom(link)) return;
    const { from } = answer;
    const fresh: Follower = { known, askedAt: 0, inStep: false, answer: undefined, from, lateSince: undefined };
    const follower = this.#followers.get(link) ?? fresh;
    this.#followers.set(link, follower);
    follower.known = known;
    follower.askedAt = this.#now();
    for (const wait of this.#waits) if (hasRead(known, wait.versions)) this.#acknowledged(wait, follower);
    if (this.ended || !hasRead(known, this.#told)) return;
    follower.inStep = true;
    follower.lateSince = undefined;
    await this.#standing(link, follower, answer);
  }

  /** Answers all questions for the last time: no client gets a reply any more. */
  end(): void {
    this.ended = true;
    for (const { answer } of this.#followers.values()) answer?.();
  }

  /**
   * Tells the followers in step all that has changed until now. Resolves when they have acknowledged it, or after `ACKNOWLEDGE_MS`: those
   * that have not are behind then, and replies do not wait for them until they have caught up.
   */
  async tell(): Promise<void> {
    const versions = Object.fromEntries(this.#stores.map(({ name, head }) => [name, head]));
    this.#told = versions;
    const open = new Set([...this.#followers.values()].filter((one) => one.inStep && !hasRead(one.known, versions)));
    if (open.size === 0) return;
    for (const { answer } of open) answer?.();
    const { promise, resolve: done } = Promise.withResolvers<void>();
    const wait: Wait = { versions, open, done };
    this.#waits.add(wait);
    const timer = setTimeout(() => {
      for (const follower of open) this.#isLate(follower);
      done();
    }, ACKNOWLEDGE_MS);
    await promise;
    clearTimeout(timer);
    this.#waits.delete(wait);
  }

  async #standing(link: string, follower: Follower, answer: StandingAnswer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => {
      if (follower.answer !== end) return;
      follower.answer = undefined;
      // Before anything else, also where there is no news: from here on a reply may be sent that this edge has not acknowledged.
      answer.mark(NEWS);
      resolve();
    };
    follower.answer?.();
    follower.answer = end;
    const timer = setTimeout(end, STAND_MS);
    answer.onClose(() => {
      // The edge there is gone. It is not waited for, and learns the rest when it asks again.
      if (follower.answer === end) this.#drop(link, follower);
      resolve();
    });
    answer.mark(STANDS);
    await promise;
    clearTimeout(timer);
  }

  /** Two replies may give it up at once. */
  #isLate(follower: Follower): void {
    this.late += 1;
    follower.inStep = false;
    follower.lateSince ??= this.#now();
    this.#onLate(follower.from);
  }

  #drop(link: string, follower: Follower): void {
    if (this.#followers.get(link) === follower) this.#followers.delete(link);
    follower.inStep = false;
    for (const wait of this.#waits) this.#acknowledged(wait, follower);
  }

  #acknowledged({ open, done }: Wait, follower: Follower): void {
    if (open.delete(follower) && open.size === 0) done();
  }

  #forget(): void {
    const before = this.#now() - FORGET_MS;
    for (const [link, follower] of this.#followers) if (follower.askedAt < before) this.#drop(link, follower);
  }
}

function hasRead(known: Versions, versions: Versions): boolean {
  return Object.entries(versions).every(([name, version]) => (known[name] ?? 0) >= version);
}
