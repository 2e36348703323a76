/** A generator of numbers from a seed: the same seed gives the same choices. */
export class Random {
  #state: number;

  /** @param parts together they are the seed */
  constructor(...parts: number[]) {
    this.#state = parts.reduce((state, part) => mixed(state ^ part), 0x9e3779b9);
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return mixed(this.#state) % below;
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** Some of the choices, in their order. */
  some<T>(choices: readonly T[], oneIn: number): T[] {
    return choices.filter(() => this.oneIn(oneIn));
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** The finalizer of MurmurHash3: each bit of the number changes half of the result's. */
function mixed(number: number): number {
  let hash = number;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
