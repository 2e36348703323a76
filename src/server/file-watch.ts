import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';

export interface FileWatchOptions {
  /** Told once when files have changed and then kept still for a whole interval, with their names. */
  onChange: (files: string[]) => void;
  /** Milliseconds between looks. */
  intervalMs?: number;
}

/** A file as last looked at; `digest` is undefined while it is missing. */
interface Look {
  signature: string;
  digest: string | undefined;
}

/**
 * Watches files for other content. It looks at intervals and follows symbolic links, so that a rename over the file and the swap of
 * a Kubernetes secret's directory link are seen, on network storage too; a touch without other content is no change.
 */
export class FileWatch {
  readonly #options: Required<FileWatchOptions>;
  #files: readonly string[];
  /** What the owner has been told of. */
  #known = new Map<string, string | undefined>();
  #looks = new Map<string, Look>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(files: readonly string[], options: FileWatchOptions) {
    this.#options = { intervalMs: 2_000, ...options };
    this.#files = [...new Set(files)];
  }

  /** Resolves when the present content is known; changes after that are told. Does not keep the process alive. */
  async start(): Promise<void> {
    await this.#look();
    this.#known = this.#digests();
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#poll(), this.#options.intervalMs).unref();
  }

  async #poll(): Promise<void> {
    const before = this.#digests();
    await this.#look();
    const after = this.#digests();
    const differs = (one: Map<string, string | undefined>) =>
      this.#files.filter((file) => one.get(file) !== after.get(file));
    const changed = differs(this.#known);
    // A certificate and its key are replaced one after the other: wait until nothing moves, and until nothing is missing.
    const still = differs(before).length === 0 && changed.every((file) => after.get(file) !== undefined);
    if (changed.length > 0 && still && !this.#closed) {
      this.#known = after;
      this.#options.onChange(changed);
    }
    this.#schedule();
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
    // Opening a FIFO would block one of libuv's threads until somebody writes.
    if (!facts.isFile()) return { signature, digest: undefined };
    return {
      signature,
      digest: createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    };
  } catch {
    // Missing for a moment is part of being replaced.
    return { signature: '', digest: undefined };
  }
}
