import type { Check } from '../digest/check.ts';
import type { ContentRange } from '../oci/range.ts';
import type { Chunk } from '../upstream/body/body-source.ts';
import { UpstreamError } from '../upstream/upstream-error.ts';
import { Brake } from './backpressure.ts';
import { Outlet, type Receiver } from './chunk-writer.ts';
import { Tail } from './overlap.ts';
import type { PaceLimits } from './pace.ts';
import { Course, type Leg } from './running-leg.ts';

/** @param alive `broken` still brings bytes, but too slowly */
export type TakeOver = (from: number, broken: Leg, error: UpstreamError, alive: boolean) => Promise<Leg | undefined>;

export interface TransferOptions {
  leg: Leg;
  pace: PaceLimits;
  /** Bytes of the blob that the client was promised; undefined: not known, so that nobody can go on where this leg breaks off. */
  extent?: ContentRange | undefined;
  /**
   * Finds who goes on with the bytes from `from` on in place of `broken`; undefined: nobody. Called once at a time.
   */
  takeOver?: TakeOver | undefined;
  /** Says at the end whether the last bytes may be sent. */
  check?: Check | undefined;
}

/** Beyond this many changes of upstream something is so wrong that the client should know. */
const MAX_LEGS = 20;

/**
 * Brings one body to its receiver, no faster than that takes it, and goes on from the next upstream where one breaks off (rule 2 of the
 * design: same length, an overlap that is byte-identical, and a right digest where it is computed).
 */
export class Transfer {
  readonly #options: TransferOptions;
  readonly #tail: Tail;
  readonly #brake = new Brake(() => this.#resume());
  readonly #outcome = Promise.withResolvers<void>();
  /** Upstreams that brought bytes of it. */
  readonly #contributors = new Set<string>();
  #outlet: Outlet | undefined;
  #course: Course | undefined;
  #legs = 1;
  /** Place in the blob of the next byte to be sent. */
  #position: number;
  #seeking = false;
  /** What the last leg broke off with. */
  #trouble: UpstreamError | undefined;
  #over = false;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#position = options.extent?.first ?? 0;
    this.#tail = new Tail(this.#position);
  }

  /**
   * Resolves when every byte was handed to the receiver.
   * @throws UpstreamError when nobody can go on or the digest is wrong: the last bytes were not sent; the reason of `gone`
   */
  async run(receiver: Receiver): Promise<void> {
    if (receiver.gone.aborted) {
      this.discard();
      throw receiver.gone.reason;
    }
    this.#outlet = new Outlet(receiver);
    const onGone = () => this.#fail('neutral', receiver.gone.reason);
    receiver.onRoom = () => this.#brake.hasRoom();
    receiver.gone.addEventListener('abort', onGone, { once: true });
    this.#begin(this.#options.leg);
    try {
      await this.#outcome.promise;
    } finally {
      receiver.gone.removeEventListener('abort', onGone);
    }
  }

  /** Gives it up before it ran. */
  discard(): void {
    if (this.#over) return;
    new Course(this.#options.leg, this.#options.pace).drop('neutral');
    this.#end();
    this.#options.check?.drop();
  }

  #begin(leg: Leg): void {
    const course = new Course(leg, this.#options.pace);
    this.#course = course;
    this.#brake.free();
    course.clock.start((error) => this.#broke(course, error));
    leg.source.start({
      data: (chunk) => this.#data(course, chunk),
      end: () => this.#ended(course),
      failed: (error) => this.#broke(course, error),
    });
  }

  #data(course: Course, chunk: Chunk): boolean {
    if (this.#over || course !== this.#course) {
      chunk.release();
      // It brings more than it promised.
      course.stop();
      return false;
    }
    const { bytes } = chunk;
    const begins = course.place;
    course.place += bytes.length;
    if (this.#isWhole()) {
      chunk.release();
      return false;
    }
    const { extent } = this.#options;
    const known = Math.min(Math.max(0, this.#position - begins), bytes.length);
    if (!this.#tail.agrees(bytes.subarray(0, known), begins)) {
      chunk.release();
      this.#broke(course, new UpstreamError('digest', 'its bytes differ from those that were sent already'));
      return false;
    }
    const slow = course.clock.took(bytes.length);
    const fresh = bytes.subarray(known, extent && known + extent.last + 1 - this.#position);
    const more = fresh.length === 0 || this.#forward(course, chunk, fresh);
    if (fresh.length === 0) chunk.release();
    if (slow && course === this.#course && !this.#isWhole()) this.#seek(course, slow);
    return more;
  }

  /** @returns whether the upstream may send more */
  #forward(course: Course, chunk: Chunk, bytes: Buffer): boolean {
    const { extent, check } = this.#options;
    this.#contributors.add(course.leg.upstream);
    this.#position += bytes.length;
    if (extent) this.#tail.push(chunk, bytes);
    const hashed = check?.update(chunk, bytes) ?? true;
    if (this.#isWhole()) {
      course.clock.stop();
      void this.#finish(course, chunk, bytes);
      // Its end may come, but nothing beyond the extent is wanted.
      return course.place === course.leg.ends;
    }
    const held = this.#brake.hold(!this.#outlet?.send(chunk, bytes), !hashed);
    if (held) course.clock.stop();
    if (!hashed) check?.onRoom(() => this.#brake.caughtUp());
    return !held;
  }

  /** The last bytes leave only when the digest of all of them is right. */
  async #finish(course: Course, chunk: Chunk, bytes: Buffer): Promise<void> {
    const { check } = this.#options;
    try {
      const verdict = check && (await check.verdict([...this.#contributors]));
      if (verdict === 'wrong')
        throw new UpstreamError('digest', 'what it sent does not have the digest that it was asked for by');
    } catch (error) {
      this.#fail('bad', error);
    }
    // The client may have left meanwhile.
    if (this.#over) return chunk.release();
    this.#outlet?.send(chunk, bytes);
    if (!this.#over) this.#complete(course);
  }

  #complete(course: Course): void {
    course.close();
    this.#end();
    this.#outcome.resolve();
  }

  #ended(course: Course): void {
    course.ended();
    if (this.#over || course !== this.#course) return;
    if (!this.#options.extent) this.#complete(course);
    else this.#broke(course, new UpstreamError('short', 'the body ended too early'));
  }

  #broke(course: Course, error: UpstreamError): void {
    // All that is left then is the verdict over bytes that are here already.
    if (this.#over || course !== this.#course || this.#isWhole()) return;
    this.#trouble = error;
    this.#course = undefined;
    course.drop('bad');
    this.#seek(course, error);
  }

  /** Looks for somebody who goes on. A leg that is only slow is kept until there is one. */
  #seek(course: Course, error: UpstreamError): void {
    if (this.#seeking) return;
    const { takeOver, extent } = this.#options;
    const alive = course === this.#course;
    if (!takeOver || !extent || this.#legs >= MAX_LEGS) {
      if (!alive) this.#fail('bad', error);
      return;
    }
    this.#seeking = true;
    takeOver(this.#tail.start, course.leg, error, alive).then(
      (next) => this.#found(course, next, alive, error),
      (failure: unknown) => this.#fail('bad', failure),
    );
  }

  #found(before: Course, next: Leg | undefined, wasAlive: boolean, error: UpstreamError): void {
    this.#seeking = false;
    if (this.#over || this.#isWhole()) {
      next?.source.destroy();
      next?.lease.ended('neutral');
    } else if (next) {
      this.#course?.drop('bad');
      this.#legs += 1;
      next.onBegin?.();
      this.#begin(next);
    } else if (!this.#course) {
      const trouble = this.#trouble ?? error;
      // One that was only slow when somebody was looked for, and has broken off since, may be asked again itself.
      if (wasAlive) this.#seek(before, trouble);
      else this.#fail('bad', trouble);
    }
  }

  #isWhole(): boolean {
    const { extent } = this.#options;
    return extent !== undefined && this.#position > extent.last;
  }

  #resume(): void {
    const course = this.#course;
    if (!course) return;
    course.clock.start((error) => this.#broke(course, error));
    course.leg.source.resume();
  }

  #fail(verdict: 'bad' | 'neutral', reason: unknown): void {
    if (this.#over) return;
    this.#course?.drop(verdict);
    this.#end();
    this.#options.check?.drop();
    this.#outcome.reject(reason);
  }

  #end(): void {
    this.#over = true;
    this.#course = undefined;
    this.#tail.release();
  }
}
