import { LRUCache } from 'lru-cache';
import {
  type AuthorityHealth,
  type DenialStreak,
  type DenialVerdict,
  isUnchecked,
  judgeDenial,
  nextStreak,
} from '../../failover/authority-evidence.ts';

export interface Denial {
  /** What is denied, such as a hash of a user with a password; undefined: nothing is known of it that could be forgotten. */
  key: string | undefined;
  /** Of the refusal, if there is one (`UserRefusal`). */
  tookMs?: number | undefined;
}

export interface Judgement {
  verdict: DenialVerdict;
  /** The authority may be refusing every login of this name for a moment. */
  mayBeLocked: boolean;
}

const MAX_STREAKS = 10_000;
const NO_STREAK: DenialStreak = { count: 0, since: 0, last: 0 };

/** Judges what an authority's denials prove (`judgeDenial`), and counts those that prove nothing by themselves. */
export class DenialJudge {
  readonly #health: () => Promise<AuthorityHealth>;
  readonly #now: () => number;
  readonly #streaks = new LRUCache<string, DenialStreak>({ maxSize: MAX_STREAKS, sizeCalculation: () => 1 });

  /** @param health is asked after each denial @param now monotonic milliseconds */
  constructor(health: () => Promise<AuthorityHealth>, now: () => number) {
    this.#health = health;
    this.#now = now;
  }

  async judge({ key, tookMs }: Denial): Promise<Judgement> {
    // The authority took the time that only a check of the password takes.
    if (key === undefined && tookMs !== undefined && !isUnchecked(tookMs))
      return { verdict: 'proven', mayBeLocked: false };
    const health = await this.#health();
    const streak = key === undefined ? NO_STREAK : nextStreak(this.#streaks.get(key), this.#now());
    const verdict = judgeDenial(tookMs, health, streak);
    const { canary } = health;
    // A canary that cannot be asked says nothing of what was counted. A registry that is known to be sick does.
    if (key !== undefined && (canary.state !== 'silent' || verdict === 'sick')) {
      if (verdict === 'unproven' && health.unhealthy.length === 0) this.#streaks.set(key, streak);
      else this.#streaks.delete(key);
    }
    return { verdict, mayBeLocked: isUnchecked(tookMs, canary.state === 'well' ? canary.tookMs : 0) };
  }

  /** Notes that what was denied is granted. */
  forget(key: string): void {
    this.#streaks.delete(key);
  }
}
