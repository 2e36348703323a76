import { FailureEvidence } from './failure-evidence.ts';

/** Copies fail seldom, but may take minutes to: failures within this time are seen together. */
const WINDOW_MS = 600_000;
const EVIDENCE = { consecutive: 4, volume: 4, window: WINDOW_MS };
/** Milliseconds between two copies that show whether copies succeed again. */
const PROBE_MS = 2000;
/** Repositories whose rate limits are remembered. */
const MAX_LIMITED = 1000;

/**
 * Decides how fast copies go on while some fail (rule 8). Times are in milliseconds.
 *
 *   a copy fails --> that image steps back by itself; all others go on
 *   copies of three repositories fail, and none succeeds in between --> the upstream fails, not the images: of what
 *     comparisons found, and of failed copies, one at a time shows when copies succeed again; a new push is still tried once
 *   an upstream asks for a pause (429) --> that repository waits
 */
export class CopyBackoff {
  #failures = new FailureEvidence(EVIDENCE);
  #backingOffSince: number | undefined;
  #nextProbeAt = 0;
  /** Repository -> until when it is rate-limited. The last one comes last. */
  readonly #limited = new Map<string, number>();

  /** Since when copies fail whatever the image; undefined: they do not. */
  get backingOffSince(): number | undefined {
    return this.#backingOffSince;
  }

  /** Whether a copy may start. @param isNew it was never tried, and comes from a push */
  mayStart(repository: string, isNew: boolean, now: number): boolean {
    if ((this.#limited.get(repository) ?? 0) > now) return false;
    return isNew || this.#backingOffSince === undefined || now >= this.#nextProbeAt;
  }

  /** Notes that a copy starts. */
  started(isNew: boolean, now: number): void {
    if (this.#backingOffSince !== undefined && !isNew) this.#nextProbeAt = now + PROBE_MS;
  }

  /** Notes a failed copy that may succeed later. @param retryAfterMs the pause that the upstream asked for; 0: none */
  failed(repository: string, retryAfterMs: number, now: number): void {
    if (retryAfterMs > 0) this.#limit(repository, now + retryAfterMs);
    // A copy has no client: several tags of one repository are one witness.
    const widespread = this.#failures.isWidespread({ client: repository, repository }, now);
    if (!widespread || this.#backingOffSince !== undefined) return;
    this.#backingOffSince = now;
    this.#nextProbeAt = now + PROBE_MS;
  }

  /** Notes a copy that succeeded. @returns since when copies had failed whatever the image; undefined: they did not */
  succeeded(): number | undefined {
    const since = this.#backingOffSince;
    this.#failures = new FailureEvidence(EVIDENCE);
    this.#backingOffSince = undefined;
    return since;
  }

  #limit(repository: string, until: number): void {
    this.#limited.delete(repository);
    this.#limited.set(repository, until);
    for (const oldest of this.#limited.keys()) {
      if (this.#limited.size <= MAX_LIMITED) break;
      this.#limited.delete(oldest);
    }
  }
}
