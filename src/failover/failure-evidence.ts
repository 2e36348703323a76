import type { BreakerConfig } from '../config/schema.ts';

/** Whose request it was that an attempt was made for. */
export interface Evidence {
  /** The user, else the client's address. */
  client: string;
  /** In the upstream's names; empty for what belongs to no repository. */
  repository: string;
}

/** The client of what the edge asks by itself. Some client may have caused it, so such failures count only if the canary fails. */
export const EDGE = 'edge';

/** The failures of one (client, repository). */
interface Failing extends Evidence {
  /** When the last one was. */
  at: number;
  /** Failures since the last good answer, up to the share of one (client, repository) in a streak. */
  inRow: number;
  /** Those of them that were counted. */
  countedInRow: number;
  /** When failures were counted, within the window. */
  countedAt: number[];
}

/** Failures from fewer repositories say nothing about the upstream as a whole. */
const MIN_REPOSITORIES = 3;
/** So many of these repositories must be left without the failures of any one client. */
const MIN_WITHOUT_ONE_CLIENT = 2;
/** One (client, repository) gives at most this share of a streak. */
const SHARE = 1 / 4;
/** Repositories that are remembered of one client, so that no client crowds out the failures of others. */
const MAX_PER_CLIENT = 4;
const MAX_KEPT = 64;

/**
 * Decides whether a failure says something about an upstream, or only about the request that met it (rule 8). One
 * client may ask for what makes a well registry answer 500, as often as it likes. Times are in milliseconds.
 *
 *   a failure --the last ones come from three repositories, and from two without any one client--> counts
 *   otherwise --> counts only if the canary, read after it, fails
 */
export class FailureEvidence {
  readonly #window: number;
  readonly #maxInRow: number;
  readonly #maxInWindow: number;
  /** The failing one that was last seen comes last. */
  #failing: Failing[] = [];

  constructor({ consecutive, volume, window }: Pick<BreakerConfig, 'consecutive' | 'volume' | 'window'>) {
    this.#window = window;
    this.#maxInRow = Math.max(1, Math.floor(consecutive * SHARE));
    this.#maxInWindow = Math.max(1, Math.floor(volume * SHARE));
  }

  /**
   * Notes a failure.
   * @returns how many failures count from now on: this one, and those before it that could not count by themselves
   */
  failed(evidence: Evidence, now: number): number {
    if (!this.isWidespread(evidence, now)) return 0;
    let count = 0;
    for (const one of this.#failing) {
      const due = Math.min(one.inRow - one.countedInRow, this.#maxInWindow - one.countedAt.length);
      one.countedInRow += due;
      one.countedAt.push(...Array<number>(due).fill(now));
      count += due;
    }
    return count;
  }

  /** Notes a failure. @returns whether the last ones come from enough repositories and clients */
  isWidespread(evidence: Evidence, now: number): boolean {
    if (evidence.client === EDGE) return false;
    this.#note(evidence, now);
    const repositoriesOf = (failing: readonly Failing[]) => new Set(failing.map(({ repository }) => repository)).size;
    if (repositoriesOf(this.#failing) < MIN_REPOSITORIES) return false;
    const clients = new Set(this.#failing.map(({ client }) => client));
    return [...clients].every(
      (client) => repositoriesOf(this.#failing.filter((one) => one.client !== client)) >= MIN_WITHOUT_ONE_CLIENT,
    );
  }

  /** A good answer ends a row of failures. */
  succeeded(): void {
    for (const one of this.#failing) one.inRow = one.countedInRow = 0;
  }

  #note({ client, repository }: Evidence, now: number): void {
    const recent = this.#failing.filter(({ at }) => now - at < this.#window);
    const known = recent.find((one) => one.client === client && one.repository === repository);
    const { inRow = 0, countedInRow = 0, countedAt = [] } = known ?? {};
    const others = recent.filter((one) => one !== known);
    const own = others.filter((one) => one.client === client);
    const surplus = own.slice(0, Math.max(0, own.length + 1 - MAX_PER_CLIENT));
    const kept = others.filter((one) => !surplus.includes(one)).slice(1 - MAX_KEPT);
    const failing: Failing = {
      client,
      repository,
      at: now,
      inRow: Math.min(inRow + 1, this.#maxInRow),
      countedInRow,
      countedAt: countedAt.filter((at) => now - at < this.#window),
    };
    this.#failing = [...kept, failing];
  }
}
