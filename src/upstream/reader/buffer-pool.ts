import { BufferLoan } from './buffer-loan.ts';

/** `large` for bodies at full speed; `small` for short ones and for clients that take their time. */
export type BufferSize = 'large' | 'small';

export interface BufferPoolOptions {
  /** Bytes that are kept for reuse at the most. */
  keep?: number;
  /** Bytes on loan from which on nobody is given more, so that sockets pause. */
  max?: number;
  /** Milliseconds after which buffers that were not needed all the time are freed. */
  idleMs?: number;
}

export const BUFFER_BYTES: Record<BufferSize, number> = { large: 262_144, small: 65_536 };

const KEEP_BYTES = 33_554_432;
const MAX_BYTES = 268_435_456;
const IDLE_MS = 10_000;

interface Shelf {
  free: Buffer[];
  /** Fewest that lay there since the last look: so many are too many. */
  spare: number;
}

/** Memory that bodies are read into, shared by all readers of the process. */
export class BufferPool {
  readonly #keep: number;
  readonly #max: number;
  readonly #idleMs: number;
  readonly #shelves: Record<BufferSize, Shelf> = { large: { free: [], spare: 0 }, small: { free: [], spare: 0 } };
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #inUse = 0;
  #inUseBytes = 0;
  #keptBytes = 0;

  constructor({ keep = KEEP_BYTES, max = MAX_BYTES, idleMs = IDLE_MS }: BufferPoolOptions = {}) {
    this.#keep = keep;
    this.#max = max;
    this.#idleMs = idleMs;
  }

  /** Buffers on loan. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Bytes on loan. */
  get inUseBytes(): number {
    return this.#inUseBytes;
  }

  /** Bytes that lie ready. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Undefined: as much as may be is on loan; see `onFree`. */
  take(size: BufferSize): BufferLoan | undefined {
    return this.#inUseBytes + BUFFER_BYTES[size] > this.#max ? undefined : this.takeAnyway(size);
  }

  /** For bytes that came already and must be put somewhere. */
  takeAnyway(size: BufferSize): BufferLoan {
    const shelf = this.#shelves[size];
    const bytes = BUFFER_BYTES[size];
    const kept = shelf.free.pop();
    if (kept) this.#keptBytes -= bytes;
    shelf.spare = Math.min(shelf.spare, shelf.free.length);
    this.#inUse += 1;
    this.#inUseBytes += bytes;
    const memory = kept ?? Buffer.from(new SharedArrayBuffer(bytes));
    return new BufferLoan(memory, () => this.#giveBack(size, memory));
  }

  /** Calls once, when there may be memory again; the same function waits only once. */
  onFree(waiter: () => void): void {
    this.#waiting.add(waiter);
  }

  forget(waiter: () => void): void {
    this.#waiting.delete(waiter);
  }

  #giveBack(size: BufferSize, memory: Buffer): void {
    const bytes = BUFFER_BYTES[size];
    this.#inUse -= 1;
    this.#inUseBytes -= bytes;
    if (this.#keptBytes + bytes <= this.#keep) {
      // The last one used is the first one used again: its bytes are still in the processor's cache.
      this.#shelves[size].free.push(memory);
      this.#keptBytes += bytes;
      this.#trimLater();
    }
    for (const waiter of this.#waiting) {
      if (this.#inUseBytes + BUFFER_BYTES.large > this.#max) break;
      this.#waiting.delete(waiter);
      waiter();
    }
  }

  #trim(): void {
    this.#timer = undefined;
    for (const size of ['large', 'small'] as const) {
      const shelf = this.#shelves[size];
      shelf.free.splice(0, shelf.spare);
      this.#keptBytes -= shelf.spare * BUFFER_BYTES[size];
      shelf.spare = shelf.free.length;
    }
    if (this.#keptBytes > 0) this.#trimLater();
  }

  #trimLater(): void {
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#trim(), this.#idleMs).unref();
  }
}
