import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { tryCommand } from '../../test/helpers/command.ts';
import { tool } from '../../test/helpers/tool.ts';

/** One download by a real curl, without a retry. */
export interface CurlDownload {
  seconds: number;
  bytes: number;
  /** Digest of the bytes received. */
  digest: string;
  /** Exit status of curl: 18 for a part, 28 for no byte in time, 56 for a reset. */
  status: number | string;
  /** The longest time without a byte, in seconds. */
  pause: number;
}

const LOOK_MS = 5;
/** Seconds without a byte after which a client gives up. */
export const CLIENT_TIMEOUT_SECONDS = 15;

/** Downloads to a file. The file is hashed afterwards, so that hashing does not slow the download, and then removed. */
export async function curlDownload(folder: string, url: string): Promise<CurlDownload> {
  const file = join(folder, 'download');
  const args = [
    ...['--silent', '--insecure', '--http1.1', '--tls13-ciphers', 'TLS_AES_128_GCM_SHA256'],
    ...['--speed-limit', '1', '--speed-time', String(CLIENT_TIMEOUT_SECONDS), '--max-time', '120'],
    ...['--output', file, '--write-out', '%{time_total}', url],
  ];
  const pauses = new Pauses(file);
  try {
    const { status, stdout } = await tryCommand(tool('curl'), args, { timeout: 150_000 });
    const pause = pauses.stop();
    const hash = createHash('sha256');
    await pipeline(createReadStream(file, { highWaterMark: 1_048_576 }), hash);
    const digest = `sha256:${hash.digest('hex')}`;
    return { seconds: Number(stdout), bytes: statSync(file).size, digest, status, pause: pause / 1000 };
  } finally {
    pauses.stop();
    await rm(file, { force: true });
  }
}

/** Watches a file grow. */
class Pauses {
  readonly #file: string;
  readonly #timer: NodeJS.Timeout;
  #size = 0;
  #grew: number | undefined;
  #longest = 0;

  constructor(file: string) {
    this.#file = file;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** @returns the longest pause in milliseconds */
  stop(): number {
    clearInterval(this.#timer);
    return this.#longest;
  }

  #look(): void {
    const size = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    if (size === this.#size) return;
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - (this.#grew ?? now));
    this.#size = size;
    this.#grew = now;
  }
}
