import { createHash } from 'node:crypto';
import { parseContentRange } from '../oci/range.ts';
import type { Answer } from '../upstream/client.ts';
import { UpstreamError } from '../upstream/upstream-error.ts';
import type { Bandwidth } from './bandwidth.ts';
import { CopyError } from './copy-error.ts';
import { saidBy } from './registry-answer.ts';
import { pullOf, type RemoteRegistry } from './remote-registry.ts';

export interface BlobSourceOptions {
  registry: RemoteRegistry;
  repository: string;
  digest: string;
  /** Bytes. */
  size: number;
  bandwidth: Bandwidth;
  /** Told of every piece that is handed on. */
  onBytes: (bytes: number) => void;
}

/** Milliseconds without a byte after which it is asked for again. */
const STALL_MS = 30_000;
/** Times in a row that it may break off without having brought a byte. */
const MAX_BREAKS = 8;

/** One blob as it is read for a copy: what breaks off goes on where it was, and a wrong one never comes to its end. */
export class BlobSource {
  readonly digest: string;
  readonly size: number;
  readonly #options: BlobSourceOptions;
  readonly #hash;
  /** Bytes that were hashed. */
  #hashed = 0;
  /** Why it cannot be read, if that is so. */
  failed: unknown;

  constructor(options: BlobSourceOptions) {
    this.#options = options;
    this.digest = options.digest;
    this.size = options.size;
    this.#hash = createHash(options.digest.split(':')[0] ?? '');
  }

  /**
   * The bytes from one place up to another; asked for again they may begin no later than where they ended. The last piece of the blob is
   * handed on only when the digest is right.
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async *bytes(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    try {
      yield* this.#bytes(from, to, signal);
    } catch (error) {
      this.failed = error;
      throw error;
    }
  }

  async *#bytes(from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { registry, bandwidth, onBytes } = this.#options;
    let at = from;
    let breaks = 0;
    while (at < to) {
      const before = at;
      const stall = new AbortController();
      const both = AbortSignal.any([signal, stall.signal]);
      const { answer, early } = await registry.patience.with(signal, () => this.#open(at, both));
      let skipped = 0;
      try {
        for await (const piece of pieces(answer, stall)) {
          const ahead = Math.min(piece.length, early - skipped);
          skipped += ahead;
          const wanted = piece.subarray(ahead, ahead + to - at);
          if (wanted.length === 0) continue;
          await bandwidth.pass(wanted.length, signal);
          this.#take(wanted, at);
          at += wanted.length;
          onBytes(wanted.length);
          yield wanted;
          if (at === to) return;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CopyError) throw error;
      }
      breaks = at > before ? 0 : breaks + 1;
      if (breaks >= MAX_BREAKS)
        throw new CopyError(`${registry.name} breaks off at byte ${at} of ${this.#name()}`, { passing: true });
    }
  }

  /** Hashes what was not hashed before. */
  #take(piece: Buffer, at: number): void {
    const fresh = piece.subarray(Math.max(0, this.#hashed - at));
    this.#hash.update(fresh);
    this.#hashed += fresh.length;
    if (this.#hashed < this.size) return;
    const found = `${this.digest.split(':')[0]}:${this.#hash.copy().digest('hex')}`;
    if (found !== this.digest)
      throw new CopyError(`${this.#options.registry.name} has wrong bytes in ${this.#name()}: they are ${found}`);
  }

  /** `early`: how many bytes before the wanted one the answer begins, where a registry ignores ranges. */
  async #open(at: number, signal: AbortSignal): Promise<{ answer: Answer; early: number }> {
    const { registry, repository, digest } = this.#options;
    const answer = await registry.connection.send({
      method: 'GET',
      path: `/v2/${repository}/blobs/${digest}`,
      headers: at === 0 ? {} : { range: `bytes=${at}-` },
      scopes: [pullOf(repository)],
      signal,
      redirects: 'follow',
    });
    const { status, headers } = answer;
    const range = parseContentRange(headers.get('content-range'));
    const partial = status === 206 && range?.first === at && range.total === this.size;
    const whole = status === 200 && (headers.contentLength() ?? this.size) === this.size;
    if (partial) return { answer, early: 0 };
    if (whole) return { answer, early: at };
    const said = await saidBy(answer);
    if (status === 200 || status === 206)
      throw new CopyError(`${registry.name} has another length of ${this.#name()} than its manifest says`);
    throw registry.failure(status, headers.get('retry-after'), `does not give ${this.#name()}`, said);
  }

  #name(): string {
    return `the blob ${this.digest.slice(0, 19)} of ${this.#options.repository}`;
  }
}

/** Only while a piece is waited for is there a clock: whom it is handed to may take its time. */
async function* pieces({ body }: Answer, stall: AbortController): AsyncGenerator<Buffer> {
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => stall.abort(new UpstreamError('stall', 'the blob stalled')), STALL_MS);
      const { value, done } = await iterator.next().finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } finally {
    body.destroy();
  }
}
