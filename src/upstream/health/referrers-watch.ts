import { monotonicNow } from '../../clock/clock.ts';
import { inBackground } from '../../http/background.ts';
import type { ReferrersSupport } from '../../oci/referrers-list.ts';

/** Milliseconds between two looks: a registry may be upgraded. */
const LOOK_MS = 600_000;
/** The same while it is not known whether the registry has the API. */
const UNKNOWN_LOOK_MS = 10_000;

/**
 * Whether an upstream has the referrers API. One good list shows that it has. That it lacks the API only a look of the edge's own shows: some
 * registries answer 404 where a client names a repository that does not exist (rule 8). What is known stays known through an outage.
 */
export class ReferrersWatch {
  readonly #ask: () => Promise<ReferrersSupport>;
  #support: ReferrersSupport = 'unknown';
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking = false;

  /** @param ask asks the upstream about content that is there, while the canary is good */
  constructor(ask: () => Promise<ReferrersSupport>) {
    this.#ask = ask;
  }

  get support(): ReferrersSupport {
    return this.#support;
  }

  /** Notes what an answer seems to show. */
  note(seen: 'has' | 'lacks'): void {
    if (seen === 'has') this.#support = 'has';
    else if (this.#support !== 'lacks') this.#lookIfDue();
  }

  #lookIfDue(): void {
    const pauseMs = this.#support === 'unknown' ? UNKNOWN_LOOK_MS : LOOK_MS;
    if (this.#looking || monotonicNow() - this.#lookedAt < pauseMs) return;
    this.#looking = true;
    this.#lookedAt = monotonicNow();
    void this.#look();
  }

  readonly #look = inBackground('content', async () => {
    // The next client that is told 404 makes the edge look again.
    const shown = await this.#ask().catch(() => 'unknown' as const);
    this.#looking = false;
    if (shown !== 'unknown') this.#support = shown;
  });
}
