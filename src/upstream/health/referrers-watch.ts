import { monotonicNow } from '../../clock/clock.ts';
import { inBackground } from '../../http/background.ts';
import type { ReferrersSupport } from '../../oci/referrers-list.ts';

/** Milliseconds between two looks: a registry may be upgraded. */
const LOOK_MS = 600_000;
/** The same while it is not known whether the registry has the API. */
const UNKNOWN_LOOK_MS = 60_000;

/**
 * Whether an upstream has the referrers API. One good list shows that it has. That it lacks the API only a look of the edge's own shows: some
 * registries answer 404 where a client names a repository that does not exist (rule 8). What is known stays known through an outage.
 */
export class ReferrersWatch {
  readonly #ask: () => Promise<ReferrersSupport>;
  #support: ReferrersSupport = 'unknown';
  #nextLookAt = 0;

  /** @param ask asks the upstream about content that is there, while the canary is good */
  constructor(ask: () => Promise<ReferrersSupport>) {
    this.#ask = ask;
  }

  get support(): ReferrersSupport {
    return this.#support;
  }

  /** Notes that the upstream has shown a list of referrers. */
  noteList(): void {
    this.#support = 'has';
  }

  /** Called after each probe that has read the canary. */
  lookIfDue(): void {
    const now = monotonicNow();
    if (now < this.#nextLookAt) return;
    this.#nextLookAt = now + UNKNOWN_LOOK_MS;
    void this.#look();
  }

  readonly #look = inBackground('content', async () => {
    const shown = await this.#ask().catch(() => 'unknown' as const);
    if (shown === 'unknown') return;
    this.#support = shown;
    this.#nextLookAt = monotonicNow() + LOOK_MS;
  });
}
