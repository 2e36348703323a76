import { BufferLoan } from './buffer-loan.ts';

export type BufferSize = 'large' | 'medium' | 'modest' | 'small';

export interface BufferPoolOptions {
  /** Bytes that are kept for reuse at the most. */
  keep?: number;
  /** Bytes on loan from which on nobody is given more, so that sockets pause. */
  max?: number;
  /** Milliseconds after which buffers that were not needed all the time are freed. */
  idleMs?: number;
}

export const BUFFER_BYTES: Record<BufferSize, number> = {
  large: 524_288,
  medium: 262_144,
  modest: 131_072,
  small: 65_536,
};
const SIZES = ['large', 'medium', 'modest', 'small'] as const;

/**
 * Bodies at full speed up to which each gets buffers of that size. Every pause costs a round of the event loop, so that larger buffers
 * cost less for each byte; but they cost memory, here and in Node's TLS, which keeps buffers as large as what it was given.
 */
const FEW: [number, BufferSize][] = [
  [3, 'large'],
  [16, 'medium'],
  [64, 'modest'],
];

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
  readonly #shelves: Record<BufferSize, Shelf> = {
    large: shelf(),
    medium: shelf(),
    modest: shelf(),
    small: shelf(),
  };
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #bodies = 0;
  #inUse = 0;
  #inUseBytes = 0;
  #keptBytes = 0;

  constructor({ keep = KEEP_BYTES, max = MAX_BYTES, idleMs = IDLE_MS }: BufferPoolOptions = {}) {
    this.#keep = keep;
    this.#max = max;
    this.#idleMs = idleMs;
  }

  /** Bodies that are read at full speed. */
  get bodies(): number {
    return this.#bodies;
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

  /** The size for a body at full speed. */
  get fast(): BufferSize {
    return FEW.find(([bodies]) => this.#bodies <= bodies)?.[1] ?? 'small';
  }

  /** A body begins to be read at full speed. */
  join(): void {
    this.#bodies += 1;
  }

  /** It is over, or slow. */
  leave(): void {
    this.#bodies -= 1;
  }

  /** Undefined: as much as may be is on loan; see `onFree`. */
  take(size: BufferSize): BufferLoan | undefined {
    return this.#free(BUFFER_BYTES[size]) ? this.takeAnyway(size) : undefined;
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
    if (this.#waiting.size > 0) this.#wake();
  }

  #wake(): void {
    // A copy: who is given none waits again, behind the others.
    for (const waiter of [...this.#waiting]) {
      if (!this.#free(BUFFER_BYTES.small)) return;
      this.#waiting.delete(waiter);
      waiter();
    }
  }

  #free(bytes: number): boolean {
    return this.#inUse === 0 || this.#inUseBytes + bytes <= this.#max;
  }

  #trim(): void {
    this.#timer = undefined;
    for (const size of SIZES) {
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

function shelf(): Shelf {
  return { free: [], spare: 0 };
}
