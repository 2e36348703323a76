import { Chunk } from '../body/body-source.ts';
import { FreeList } from './free-list.ts';

export type BufferSize = 'large' | 'medium' | 'modest' | 'small';

export interface BufferPoolOptions {
  /** Bytes in use at most. Beyond them no buffer is given out, so that sockets pause. */
  max?: number;
  /** Free bytes that `trim` keeps for reuse, of large and of small buffers each. */
  keep?: number;
}

export const BUFFER_BYTES: Record<BufferSize, number> = {
  large: 524_288,
  medium: 262_144,
  modest: 131_072,
  small: 65_536,
};

/**
 * Buffer size by the number of fast bodies. Every pause costs a round of the event loop, so that larger buffers cost
 * less CPU for each byte. But they cost memory, here and in Node's TLS, which keeps buffers as large as the ones it was
 * given.
 */
const SIZE_UP_TO: [number, BufferSize][] = [
  [8, 'large'],
  [16, 'medium'],
  [32, 'modest'],
];
/** Up to this many fast bodies, each may hold a buffer that it does not need yet. */
const MAX_SPARE_BODIES = 16;

const MAX_BYTES = 268_435_456;
const KEEP_BYTES = 4_194_304;

/**
 * The memory that bodies are read into, shared by all readers of the process. A fast body is one whose sink keeps up.
 */
export class BufferPool {
  readonly #max: number;
  readonly #keep: number;
  readonly #waiting = new Set<() => void>();
  /** Also holds medium and modest buffers, which use a part of a large one: untouched pages cost no memory. */
  readonly #large = new FreeList(BUFFER_BYTES.large);
  readonly #small = new FreeList(BUFFER_BYTES.small);
  /** Bodies that are read at full speed. */
  #fastBodies = 0;
  #inUseBytes = 0;

  constructor({ max = MAX_BYTES, keep = KEEP_BYTES }: BufferPoolOptions = {}) {
    this.#max = max;
    this.#keep = keep;
  }

  /** Bytes in use. */
  get inUseBytes(): number {
    return this.#inUseBytes;
  }

  /** Free bytes kept for reuse. */
  get freeBytes(): number {
    return this.#large.freeBytes + this.#small.freeBytes;
  }

  /** The buffer size for a fast body. */
  get fastSize(): BufferSize {
    return SIZE_UP_TO.find(([fastBodies]) => this.#fastBodies <= fastBodies)?.[1] ?? 'small';
  }

  /** Whether a body may hold a buffer that it does not need yet. */
  get hasSpareMemory(): boolean {
    return this.#fastBodies <= MAX_SPARE_BODIES && this.#inUseBytes < this.#max / 2;
  }

  /** Counts a body that begins to be read at full speed. */
  addFastBody(): void {
    this.#fastBodies += 1;
  }

  /** Uncounts a body that has ended or has become slow. */
  removeFastBody(): void {
    this.#fastBodies -= 1;
  }

  /**
   * A buffer over a SharedArrayBuffer, so that a worker thread can read the bytes without a copy. The last release
   * returns the buffer to the pool. Undefined when `max` bytes are in use; see `waitForMemory`.
   */
  acquire(size: BufferSize): Chunk | undefined {
    return this.#hasRoom(BUFFER_BYTES[size]) ? this.acquireBeyondMax(size) : undefined;
  }

  /** For bytes that have arrived and must be stored. */
  acquireBeyondMax(size: BufferSize): Chunk {
    const bytes = BUFFER_BYTES[size];
    const freeList = size === 'small' ? this.#small : this.#large;
    const buffer = freeList.pop();
    this.#inUseBytes += bytes;
    return new Chunk(buffer.subarray(0, bytes), () => {
      freeList.push(buffer);
      this.#onReturned(bytes);
    });
  }

  /** Calls back once, when memory may be free again. A waiter waits only once at a time. */
  waitForMemory(waiter: () => void): void {
    this.#waiting.add(waiter);
  }

  stopWaiting(waiter: () => void): void {
    this.#waiting.delete(waiter);
  }

  /**
   * Drops free buffers. V8 ignores shared memory when it decides whether to collect garbage, so that the buffers may stay beside new ones
   * for long: let a collection follow.
   */
  trim(): void {
    this.#large.trim(this.#keep);
    this.#small.trim(this.#keep);
  }

  #onReturned(bytes: number): void {
    this.#inUseBytes -= bytes;
    if (this.#waiting.size > 0) this.#wakeWaiters();
  }

  #wakeWaiters(): void {
    // A copy, because a waiter that gets no memory waits again, behind the others.
    for (const waiter of [...this.#waiting]) {
      if (!this.#hasRoom(BUFFER_BYTES.small)) return;
      this.#waiting.delete(waiter);
      waiter();
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#inUseBytes === 0 || this.#inUseBytes + bytes <= this.#max;
  }
}
