import { UpstreamError } from '../upstream-error.ts';

/** A head as bytes, and where in memory what follows it lies; that memory is overwritten by what is read next. */
export interface GatheredHead {
  /** latin1, without the empty line. */
  text: string;
  rest: Buffer;
}

const MAX_BYTES = 65_536;
const START = 'HTTP/1.';

/** Gathers bytes until the empty line that ends a head, in a small buffer of a connection's own. */
export class HeadGatherer {
  readonly #scratch: Buffer;
  #memory: Buffer;
  #used = 0;

  /** @param scratch where heads are put that are not larger */
  constructor(scratch: Buffer) {
    this.#scratch = scratch;
    this.#memory = scratch;
  }

  /** Whether nothing came yet. */
  get empty(): boolean {
    return this.#used === 0;
  }

  /** Where the next bytes go; never empty. */
  get target(): Buffer {
    return this.#memory.subarray(this.#used);
  }

  /**
   * Takes in bytes that were put at `target`. Undefined: the head has no end yet.
   * @throws UpstreamError malformed
   */
  add(count: number): GatheredHead | undefined {
    const searched = Math.max(0, this.#used - 3);
    this.#used += count;
    const held = this.#memory.subarray(0, this.#used);
    const start = held.toString('latin1', 0, START.length);
    if (!START.startsWith(start)) throw new UpstreamError('malformed', 'the answer is no HTTP/1.x');
    const end = held.indexOf('\r\n\r\n', searched, 'latin1');
    if (end >= MAX_BYTES || (end < 0 && this.#used >= MAX_BYTES))
      throw new UpstreamError('malformed', `the answer's head is longer than ${MAX_BYTES} bytes`);
    if (end < 0) {
      // Lines that end in a bare LF would never come to the end that is looked for.
      if (held.includes('\n\n', searched, 'latin1'))
        throw new UpstreamError('malformed', 'the head has bare line feeds');
      if (this.#used === this.#memory.length) this.#grow();
      return undefined;
    }
    return { text: held.toString('latin1', 0, end), rest: held.subarray(end + 4) };
  }

  /** After an interim answer: what followed it is the beginning of the next head. */
  again(rest: Buffer): GatheredHead | undefined {
    this.#used = 0;
    rest.copy(this.#memory);
    return rest.length > 0 ? this.add(rest.length) : undefined;
  }

  /** Begins anew. */
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
