import type { HedgeCounts, Observer, RequestRecord } from '../proxy/request-record.ts';

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
  readonly #figures: SinceStartFigures = {
    hedges: { started: 0, won: 0, refused: 0 },
    splices: { done: 0, failed: 0 },
    verified: { right: 0, wrong: 0, unknown: 0 },
    tags: { warned: 0, replaced: 0, refused: 0 },
  };
  /** By upstream: attempts that were cancelled because another upstream, asked later, answered first. */
  readonly outrun = new Map<string, number>();

  record({ attempts, coalesced, hedges, splices, tag, verified }: RequestRecord): void {
    const figures = this.#figures;
    figures.hedges.started += hedges.started;
    figures.hedges.won += hedges.won;
    figures.hedges.refused += hedges.refused;
    for (const { to } of splices) figures.splices[to === undefined ? 'failed' : 'done'] += 1;
    if (verified) figures.verified[verified] += 1;
    if (tag && tag.action !== 'served') figures.tags[tag.action] += 1;
    if (coalesced) return;
    for (const { upstream, reason, reads = 1 } of attempts)
      if (reason === 'late') this.outrun.set(upstream, (this.outrun.get(upstream) ?? 0) + reads);
  }

  /** A copy, which does not change any more. */
  get figures(): SinceStartFigures {
    return structuredClone(this.#figures);
  }
}
