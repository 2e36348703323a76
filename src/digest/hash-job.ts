import type { Chunk } from '../upstream/body/body-source.ts';

/** One digest, computed beside the transfer of what it is of. It ends with `digest` or `abandon`, and one of them must be called. */
export interface HashJob {
  /**
   * Takes the next bytes of the body; they lie in the chunk, of which it takes a use of its own until they were read.
   * @param bytes default: the whole chunk
   * @returns false: so many bytes wait that no more should come until `onRoom`
   */
  update(chunk: Chunk, bytes?: Buffer): boolean;
  /** Bytes that wait to be read. */
  readonly backlog: number;
  /** Calls once, later, when few bytes wait or none ever will again. The latest callback counts. */
  onRoom(callback: () => void): void;
  /**
   * After the last byte, once: the digest in hex.
   * @throws HashUnavailable the thread died: nothing is known
   */
  digest(): Promise<string>;
  /** Nobody wants it any more; at any time, any number of times. */
  abandon(): void;
}

/** The digest could not be computed, which says nothing about the bytes. */
export class HashUnavailable extends Error {
  override name = 'HashUnavailable';
}

/** Who reads the bytes of jobs. */
export interface HashLane {
  /** Bytes of one job that may wait. */
  readonly share: number;
  add(job: LaneJob, chunk: Chunk, bytes: Buffer): void;
  finish(job: LaneJob): void;
  drop(job: LaneJob): void;
}

/** A job in a lane. */
export class LaneJob implements HashJob {
  readonly #lane: HashLane;
  readonly #outcome = Promise.withResolvers<string>();
  #state: 'open' | 'finishing' | 'over' = 'open';
  #backlog = 0;
  #onRoom: (() => void) | undefined;

  constructor(lane: HashLane) {
    this.#lane = lane;
    // Whether it died matters to who asks for the digest; a job may die before anybody did.
    this.#outcome.promise.catch(() => undefined);
  }

  get backlog(): number {
    return this.#backlog;
  }

  update(chunk: Chunk, bytes = chunk.bytes): boolean {
    if (this.#state === 'finishing') throw new Error('bytes came after the digest was asked for');
    if (this.#state === 'over' || bytes.length === 0) return true;
    this.#backlog += bytes.length;
    this.#lane.add(this, chunk, bytes);
    return this.#backlog < this.#lane.share;
  }

  onRoom(callback: () => void): void {
    this.#onRoom = callback;
    // Never within this call: whoever asks is in the middle of pausing.
    queueMicrotask(() => this.#tellRoom());
  }

  digest(): Promise<string> {
    if (this.#state === 'open') {
      this.#state = 'finishing';
      this.#lane.finish(this);
    }
    return this.#outcome.promise;
  }

  abandon(): void {
    if (this.#state === 'over') return;
    this.failed(new HashUnavailable('the digest was given up'));
    this.#lane.drop(this);
  }

  /** From the lane: so many bytes were read, or never will be. */
  done(bytes: number): void {
    this.#backlog -= bytes;
    this.#tellRoom();
  }

  /** From the lane. */
  digested(hex: string): void {
    this.#state = 'over';
    this.#outcome.resolve(hex);
  }

  /** From the lane. */
  failed(error: HashUnavailable): void {
    this.#state = 'over';
    this.#outcome.reject(error);
    this.#tellRoom();
  }

  #tellRoom(): void {
    if (this.#state === 'open' && this.#backlog > this.#lane.share / 2) return;
    const callback = this.#onRoom;
    this.#onRoom = undefined;
    callback?.();
  }
}
