import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between two looks. */
const LOOK_MS = 5_000;
/** Milliseconds in which V8 frees what it has collected. */
const SWEEP_MS = 500;
const ROUNDS = 2;
/** Less growth than this is not worth a collection. */
const GROWTH = 1.1;
/** The load has fallen if no more than this share of its peak is left. */
const FALLEN = 0.25;

/** The process whose memory is watched. */
export interface WatchedProcess {
  /** Requests that run now. */
  load(): number;
  residentBytes(): number;
  /** Gives unused memory back to the system. */
  release(): Promise<void>;
}

/**
 * Gives memory back after a rush. Nobody else does: V8 collects no garbage while nothing is allocated, and glibc keeps what was freed
 * between blocks in use. Under load, that memory would only be taken again.
 */
export class MemoryRelease {
  readonly #process: WatchedProcess;
  #timer: NodeJS.Timeout | undefined;
  /** The highest load since the last release. */
  #peak = 0;
  /** The load at the last look; undefined before it. */
  #last: number | undefined;
  /** Resident bytes after the last release. */
  #residentBytes = 0;

  constructor(process: WatchedProcess) {
    this.#process = process;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.look().then(() => this.start()), LOOK_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Releases memory if the load has fallen, at this look and at the last one, and if the process has grown since the last release. */
  async look(): Promise<void> {
    const load = this.#process.load();
    const last = this.#last ?? Number.POSITIVE_INFINITY;
    this.#last = load;
    this.#peak = Math.max(this.#peak, load);
    if (Math.max(load, last) > FALLEN * this.#peak) return;
    if (this.#process.residentBytes() < GROWTH * this.#residentBytes) return;
    this.#peak = load;
    await this.#process.release();
    this.#residentBytes = this.#process.residentBytes();
  }
}

/**
 * Collects garbage, and lets the C library give the pages back that it keeps. The second round takes what the first one only let go of:
 * buffers behind finalizers, and the space for young objects, which V8 shrinks at the next collection.
 */
export async function releaseUnused(): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    await globalThis.gc?.({ type: 'major', execution: 'async' });
    await delay(SWEEP_MS, undefined, { ref: false });
    trimMalloc();
  }
}

/** malloc_trim(3) of glibc. Without it, on musl or macOS or an older Node, freed memory stays with the process. */
function trimMalloc(): void {
  const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined;
  if (ffi === undefined) return;
  try {
    const { functions } = ffi.dlopen(null, { malloc_trim: { arguments: ['uint64'], return: 'int32' } });
    functions.malloc_trim(0n);
  } catch {
    // There is no such function.
  }
}
