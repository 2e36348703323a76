import { monotonicNow } from '../../clock/clock.ts';
import type { UploadVerdict } from '../../failover/upload-refusal.ts';
import { inBackground } from '../../http/background.ts';

/** Milliseconds between two starts of an upload of the edge's own. */
const TRY_MS = 5000;

export interface UploadWatchOptions {
  /** Starts an upload with the edge's own credentials, and cancels it. Undefined: the edge has none. May reject. */
  start: () => Promise<UploadVerdict> | undefined;
  /** Called when the registry takes no uploads any more, or takes them again. */
  onChange: () => void;
  /** Milliseconds between two of these starts. */
  everyMs?: number;
}

/**
 * Whether a registry takes no uploads at all, such as docker-registry with `readonly`. A client that is refused shows it for its own
 * repository only. So it counts for everybody once an upload of the edge's own is refused as well (rule 8). From then on that upload is tried
 * again and again, until the registry takes it.
 */
export class UploadWatch {
  readonly #options: UploadWatchOptions;
  readonly #everyMs: number;
  #refuses = false;
  /** What the last own start found, while it is new. */
  #triedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: UploadWatchOptions) {
    this.#options = options;
    this.#everyMs = options.everyMs ?? TRY_MS;
  }

  /** Whether the registry is known to take no uploads. */
  get refuses(): boolean {
    return this.#refuses;
  }

  /**
   * A client was told that the registry takes no upload. Resolves when the edge has tried one itself, at most once in five seconds. Never
   * rejects.
   * @returns whether the registry takes none at all
   */
  async noteRefusal(): Promise<boolean> {
    if (!this.#refuses && (this.#running || monotonicNow() - this.#triedAt >= this.#everyMs)) await this.#try();
    return this.#refuses;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Simultaneous calls share one try. */
  #try(): Promise<void> {
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #look(): Promise<void> {
    this.#triedAt = monotonicNow();
    const verdict = await Promise.resolve(this.#options.start()).catch(() => 'unknown' as const);
    if (this.#stopped) return;
    const refuses = verdict === 'none' || (verdict !== 'taken' && this.#refuses);
    const changed = refuses !== this.#refuses;
    this.#refuses = refuses;
    clearTimeout(this.#timer);
    if (refuses)
      this.#timer = setTimeout(
        inBackground('content', () => this.#try()),
        this.#everyMs,
      ).unref();
    if (changed) this.#options.onChange();
  }
}
