import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between two looks. */
const LOOK_MS = 5_000;
/** Milliseconds in which V8 frees what it has collected. */
const SWEEP_MS = 500;
const ROUNDS = 2;
/** Less growth than this is not worth a collection. */
const GROWTH = 1.1;
/** With fewer requests at once, little is left behind, and their number in a sample says little about the load. */
const RUSH = 32;
/** The load has fallen if no more than this share of its peak is left. */
const FALLEN = 0.25;

/** The process whose memory is watched. */
export interface WatchedProcess {
  /** Requests that run now. */
  load(): number;
  /** @throws Error if the system does not tell, for example because there is no descriptor left */
  residentBytes(): number;
  /** Frees buffers that are kept for later requests. */
  trimBuffers(): void;
  /** Gives unused memory back to the system. This stops the process for a moment. */
  release(): Promise<void>;
}

/**
 * Gives memory back after a rush. Nobody else does: V8 collects no garbage while nothing is allocated, and glibc keeps what was freed
 * between blocks in use. Under load, that memory would only be taken again.
 */
export class MemoryRelease {
  readonly #process: WatchedProcess;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** The highest load since the last release. */
  #peak = 0;
  /** The load at the last look; undefined before it. */
  #last: number | undefined;
  /** Resident bytes after the last release; undefined before it. */
  #residentBytes: number | undefined;

  constructor(process: WatchedProcess) {
    this.#process = process;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      // Without a descriptor the system does not tell the resident bytes; the next look tries again.
      void this.look()
        .catch(() => undefined)
        .then(() => this.start());
    }, LOOK_MS).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /**
   * Releases memory if the load has fallen, at this look and at the last one, if there was a rush since the last release, and if the
   * process has grown since then. What the start leaves behind is released too.
   */
  async look(): Promise<void> {
    const load = this.#process.load();
    const last = this.#last ?? Number.POSITIVE_INFINITY;
    this.#last = load;
    this.#peak = Math.max(this.#peak, load);
    if (Math.max(load, last) > FALLEN * this.#peak) return;
    this.#process.trimBuffers();
    if (this.#residentBytes !== undefined) {
      if (this.#peak < RUSH || this.#process.residentBytes() < GROWTH * this.#residentBytes) return;
    }
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
