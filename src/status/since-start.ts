import type { AttemptRecord, HedgeCounts, Observer, RequestRecord } from '../proxy/request-record.ts';

/** Counts since the edge started. */
export interface SinceStartFigures {
  hedges: HedgeCounts;
  /** Broken downloads: `done` were resumed on another upstream, `failed` were not, so that the client got a part. */
  splices: { done: number; failed: number };
  /** Blobs whose digest was computed, by result. */
  verified: { right: number; wrong: number; unknown: number };
  /** Tags of a fallback: served with a warning; an older digest replaced by the current one; refused because no upstream had that. */
  tags: { warned: number; replaced: number; refused: number };
}

/** Counts for the status page. The metrics have the same counts by their labels. */
export class SinceStart implements Observer {
  readonly #hedges = { started: 0, won: 0, refused: 0 };
  readonly #splices = { done: 0, failed: 0 };
  readonly #verified = { right: 0, wrong: 0, unknown: 0 };
  readonly #tags = { warned: 0, replaced: 0, refused: 0 };
  readonly #outrun = new Map<string, number>();

  record({ attempts, coalesced, hedges, splices, tag, verified }: RequestRecord): void {
    this.#hedges.started += hedges.started;
    this.#hedges.won += hedges.won;
    this.#hedges.refused += hedges.refused;
    for (const { to } of splices) this.#splices[to === undefined ? 'failed' : 'done'] += 1;
    if (verified) this.#verified[verified] += 1;
    if (tag && tag.action !== 'served') this.#tags[tag.action] += 1;
    if (!coalesced) for (const attempt of attempts) this.#attempt(attempt);
  }

  get figures(): SinceStartFigures {
    return {
      hedges: { ...this.#hedges },
      splices: { ...this.#splices },
      verified: { ...this.#verified },
      tags: { ...this.#tags },
    };
  }

  /** By upstream: attempts that were cancelled because another upstream, asked later, answered first. */
  get outrun(): ReadonlyMap<string, number> {
    return this.#outrun;
  }

  #attempt({ upstream, reason }: AttemptRecord): void {
    if (reason === 'late') this.#outrun.set(upstream, (this.#outrun.get(upstream) ?? 0) + 1);
  }
}
