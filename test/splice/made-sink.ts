import type { Sink } from '../../src/splice/chunk-writer.ts';
import { after, type Pulse } from './made-source.ts';

export interface Habits {
  /** Bytes that it holds before it is full. */
  capacity: number;
  /** When it gives the next bytes back. */
  pulses: readonly Pulse[];
  /** Milliseconds that it takes for it now and then. */
  nap?: number;
  /** It leaves at this write. */
  leavesAt?: number | undefined;
}

/** A client that takes bytes in its own time, and may leave. What it holds when it leaves it never gives back. */
export class MadeSink implements Sink {
  onDrain: () => void = () => undefined;
  readonly wrongs: string[] = [];
  readonly #habits: Habits;
  readonly #control = new AbortController();
  readonly #parts: (Buffer | undefined)[] = [];
  #held = 0;
  #writes = 0;
  #full = false;
  /** What it was given, whether it has looked at it or not. */
  given = 0;
  settled = false;

  constructor(habits: Habits) {
    this.#habits = habits;
  }

  get closed(): AbortSignal {
    return this.#control.signal;
  }

  /** What it has, as it was when it gave the memory back. */
  get received(): Buffer {
    const inOrder: Buffer[] = [];
    for (const part of this.#parts) {
      if (!part) break;
      inOrder.push(part);
    }
    return Buffer.concat(inOrder);
  }

  /** Resolves when it has looked at all that it was given. */
  async taken(): Promise<Buffer> {
    while (this.#held > 0) await new Promise(setImmediate);
    return this.received;
  }

  leave(): void {
    this.#control.abort(new Error('left'));
  }

  write(bytes: Buffer, done: () => void): boolean {
    if (this.settled) this.wrongs.push('written to after the end');
    if (this.closed.aborted) this.wrongs.push('written to after it left');
    if (bytes.length === 0) this.wrongs.push('given nothing');
    const { leavesAt, capacity, pulses, nap } = this.#habits;
    const place = this.#writes;
    this.#writes += 1;
    this.#held += bytes.length;
    this.given += bytes.length;
    if (place === leavesAt) {
      this.leave();
      return false;
    }
    const take = () => {
      if (this.closed.aborted) return;
      this.#parts[place] = Buffer.from(bytes);
      this.#held -= bytes.length;
      done();
      if (!this.#full || this.#held > 0) return;
      this.#full = false;
      this.onDrain();
    };
    const pulse = pulses[place % pulses.length] ?? 'immediate';
    if (nap !== undefined && place % 3 === 0) setTimeout(take, nap);
    // A response gives back in order, and never before `write` has returned.
    else after(pulse === 'now' ? 'microtask' : pulse, take);
    this.#full = this.#held >= capacity;
    return !this.#full;
  }
}
