import { BufferShelf } from './free-list.ts';
import { BufferLoan } from './pooled-buffer.ts';

export type BufferSize = 'large' | 'medium' | 'modest' | 'small';

export interface BufferPoolOptions {
  /** Bytes on loan from which on nobody is given more, so that sockets pause. */
  max?: number;
  /** Bytes that are kept for reuse at the least, of large and of small buffers each. */
  keep?: number;
  /** Milliseconds after which buffers that were not needed all the time are freed. */
  idleMs?: number;
}

export const BUFFER_BYTES: Record<BufferSize, number> = {
  large: 524_288,
  medium: 262_144,
  modest: 131_072,
  small: 65_536,
};

/**
 * Bodies at full speed up to which each gets buffers of that size. Every pause costs a round of the event loop, so that larger buffers
 * cost less for each byte; but they cost memory, here and in Node's TLS, which keeps buffers as large as what it was given.
 */
const FEW: [number, BufferSize][] = [
  [8, 'large'],
  [16, 'medium'],
  [32, 'modest'],
];
/** Bodies at full speed up to which each may hold a buffer in advance. */
const PLENTY = 16;

const MAX_BYTES = 268_435_456;
const KEEP_BYTES = 4_194_304;
const IDLE_MS = 10_000;

/** Memory that bodies are read into, shared by all readers of the process. */
export class BufferPool {
  readonly #max: number;
  readonly #keep: number;
  readonly #idleMs: number;
  readonly #waiting = new Set<() => void>();
  /** Also for medium and modest ones, of which only a part is used: pages that are not touched cost nothing. */
  readonly #large = new BufferShelf(BUFFER_BYTES.large);
  readonly #small = new BufferShelf(BUFFER_BYTES.small);
  #timer: NodeJS.Timeout | undefined;
  #bodies = 0;
  #inUse = 0;
  #inUseBytes = 0;

  constructor({ max = MAX_BYTES, keep = KEEP_BYTES, idleMs = IDLE_MS }: BufferPoolOptions = {}) {
    this.#max = max;
    this.#keep = keep;
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
    return this.#large.kept + this.#small.kept;
  }

  /** The size for a body at full speed. */
  get fast(): BufferSize {
    return FEW.find(([bodies]) => this.#bodies <= bodies)?.[1] ?? 'small';
  }

  /** Whether a body may hold a buffer that it does not need yet. */
  get plenty(): boolean {
    return this.#bodies <= PLENTY && this.#inUseBytes < this.#max / 2;
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
    const bytes = BUFFER_BYTES[size];
    const shelf = size === 'small' ? this.#small : this.#large;
    const buffer = shelf.take();
    this.#inUse += 1;
    this.#inUseBytes += bytes;
    return new BufferLoan(buffer.subarray(0, bytes), () => {
      shelf.giveBack(buffer);
      this.#givenBack(bytes);
    });
  }

  /** Calls once, when there may be memory again; the same function waits only once. */
  onFree(waiter: () => void): void {
    this.#waiting.add(waiter);
  }

  forget(waiter: () => void): void {
    this.#waiting.delete(waiter);
  }

  #givenBack(bytes: number): void {
    this.#inUse -= 1;
    this.#inUseBytes -= bytes;
    if (this.#timer === undefined) this.#trimLater();
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

  #trimLater(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#large.trim(this.#keep);
      this.#small.trim(this.#keep);
      // With no more than is kept anyway there is nothing to do until something comes back.
      if (Math.max(this.#large.kept, this.#small.kept) > this.#keep) this.#trimLater();
    }, this.#idleMs).unref();
  }
}
