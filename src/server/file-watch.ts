import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { inBackground } from '../http/background.ts';

/** The last check of a file; `digest` is undefined while the file is missing, and for what is no file. */
interface Look {
  signature: string;
  digest: string | undefined;
  isMissing?: boolean;
}

/**
 * Watches files for new content. It checks at intervals and follows symbolic links, so that it sees a rename over the file and the link
 * swap of a Kubernetes secret, on network storage too. A touch without new content is no change.
 */
export class FileWatch {
  readonly #files: readonly string[];
  readonly #onChange: (files: string[]) => void;
  readonly #intervalMs: number;
  readonly #onMissing: (files: string[]) => void;
  /** Files that were reported as missing. */
  readonly #missing = new Set<string>();
  /** The content that was last reported. */
  #known = new Map<string, string | undefined>();
  #looks = new Map<string, Look>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param onChange called once with the files that changed and then stayed unchanged for a whole interval
   * @param intervalMs milliseconds between two checks
   * @param onMissing called once with files that stayed missing, or unreadable, for a whole interval
   */
  constructor(
    files: readonly string[],
    onChange: (files: string[]) => void,
    intervalMs = 2_000,
    onMissing: (files: string[]) => void = () => undefined,
  ) {
    this.#files = [...new Set(files)];
    this.#onChange = onChange;
    this.#intervalMs = intervalMs;
    this.#onMissing = onMissing;
  }

  /**
   * Resolves after the first look; later changes are reported. Does not keep the process alive.
   * @param known the SHA-256 of each file's content in use; default: of its present content
   */
  async start(known?: ReadonlyMap<string, string>): Promise<void> {
    await this.#look();
    this.#known = known ? new Map(known) : this.#digests();
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(this.#poll, this.#intervalMs).unref();
  }

  readonly #poll = inBackground('files', async () => {
    try {
      await this.#check();
    } finally {
      this.#schedule();
    }
  });

  async #check(): Promise<void> {
    const before = this.#digests();
    const wereMissing = this.#missingNow();
    await this.#look();
    const after = this.#digests();
    this.#reportMissing(wereMissing);
    const differs = (one: Map<string, string | undefined>) =>
      this.#files.filter((file) => one.get(file) !== after.get(file));
    const changed = differs(this.#known);
    // A certificate and its key are replaced one after the other: wait until no file changes and none is missing.
    const still = differs(before).length === 0 && changed.every((file) => after.get(file) !== undefined);
    if (changed.length > 0 && still && !this.#closed) {
      this.#known = after;
      this.#onChange(changed);
    }
  }

  #missingNow(): string[] {
    return this.#files.filter((file) => this.#looks.get(file)?.isMissing);
  }

  #reportMissing(before: readonly string[]): void {
    const now = this.#missingNow();
    for (const file of this.#missing) if (!now.includes(file)) this.#missing.delete(file);
    const fresh = now.filter((file) => before.includes(file) && !this.#missing.has(file));
    for (const file of fresh) this.#missing.add(file);
    if (fresh.length > 0 && !this.#closed) this.#onMissing(fresh);
  }

  #digests(): Map<string, string | undefined> {
    return new Map([...this.#looks].map(([file, look]) => [file, look.digest]));
  }

  async #look(): Promise<void> {
    await Promise.all(
      this.#files.map(async (file) => {
        this.#looks.set(file, await lookAt(file, this.#looks.get(file)));
      }),
    );
  }
}

async function lookAt(file: string, last: Look | undefined): Promise<Look> {
  try {
    const facts = await stat(file, { bigint: true });
    const signature = [facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join(' ');
    if (last?.signature === signature) return last;
    // Opening a FIFO would block a thread of libuv until some process writes.
    if (!facts.isFile()) return { signature, digest: undefined };
    return {
      signature,
      digest: createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    };
  } catch {
    // A file may be missing for a moment while it is replaced.
    return { signature: '', digest: undefined, isMissing: true };
  }
}
