import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { inBackground } from '../http/background.ts';

/** The last check of a file; `digest` is undefined while the file is missing. */
interface Look {
  signature: string;
  digest: string | undefined;
}

/**
 * Watches files for new content. It checks at intervals and follows symbolic links, so that it sees a rename over the file and the link
 * swap of a Kubernetes secret, on network storage too. A touch without new content is no change.
 */
export class FileWatch {
  readonly #files: readonly string[];
  readonly #onChange: (files: string[]) => void;
  readonly #intervalMs: number;
  /** The content that was last reported. */
  #known = new Map<string, string | undefined>();
  #looks = new Map<string, Look>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param onChange called once with the files that changed and then stayed unchanged for a whole interval
   * @param intervalMs milliseconds between two checks
   */
  constructor(files: readonly string[], onChange: (files: string[]) => void, intervalMs = 2_000) {
    this.#files = [...new Set(files)];
    this.#onChange = onChange;
    this.#intervalMs = intervalMs;
  }

  /** Resolves when the present content is known; later changes are reported. Does not keep the process alive. */
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
    await this.#look();
    const after = this.#digests();
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
    return { signature: '', digest: undefined };
  }
}
