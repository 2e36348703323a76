import { UpstreamError } from '../upstream-error.ts';

/** A head, and the bytes that followed it. The next read overwrites the memory of `rest`. */
export interface RawHead {
  /** latin1, without the empty line. */
  text: string;
  rest: Buffer;
}

const MAX_BYTES = 65_536;
const START = 'HTTP/1.';

/** Collects bytes up to the empty line that ends a head, in a small buffer of the connection. */
export class HeadBuffer {
  readonly #scratch: Buffer;
  #memory: Buffer;
  #used = 0;

  /** @param scratch memory for heads that fit into it */
  constructor(scratch: Buffer) {
    this.#scratch = scratch;
    this.#memory = scratch;
  }

  /** Where the next bytes go; never empty. */
  get target(): Buffer {
    return this.#memory.subarray(this.#used);
  }

  /**
   * Takes the bytes written at `target`. @returns undefined when the head is not complete
   * @throws UpstreamError malformed
   */
  add(count: number): RawHead | undefined {
    const searched = Math.max(0, this.#used - 3);
    this.#used += count;
    const held = this.#memory.subarray(0, this.#used);
    const start = held.toString('latin1', 0, START.length);
    if (!START.startsWith(start)) throw new UpstreamError('malformed', 'the answer is not HTTP/1.x');
    const end = held.indexOf('\r\n\r\n', searched, 'latin1');
    if (end >= MAX_BYTES || (end < 0 && this.#used >= MAX_BYTES))
      throw new UpstreamError('malformed', `the answer's head is longer than ${MAX_BYTES} bytes`);
    if (end < 0) {
      // A head whose lines end in a bare LF would never end.
      if (held.includes('\n\n', searched, 'latin1'))
        throw new UpstreamError('malformed', 'the head has bare line feeds');
      if (this.#used === this.#memory.length) this.#grow();
      return undefined;
    }
    return { text: held.toString('latin1', 0, end), rest: held.subarray(end + 4) };
  }

  /** Begins the next head, after an interim answer, with the bytes that followed that answer. */
  restartWith(rest: Buffer): RawHead | undefined {
    this.#used = 0;
    rest.copy(this.#memory);
    return rest.length > 0 ? this.add(rest.length) : undefined;
  }

  reset(): void {
    this.#memory = this.#scratch;
    this.#used = 0;
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#memory.length * 2, MAX_BYTES));
    this.#memory.copy(larger);
    this.#memory = larger;
  }
}
