import type { ContentRange } from '../oci/range.ts';
import type { Chunk } from '../upstream/chunk.ts';
import type { Verdict } from '../upstream/lease.ts';
import { UpstreamError } from '../upstream/upstream-error.ts';
import type { Leg } from './leg.ts';
import { LegClock } from './leg-clock.ts';
import type { PaceLimits } from './pace.ts';
import type { Receiver } from './receiver.ts';
import { Tail } from './tail.ts';
import type { Verification } from './verification.ts';

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
  verification?: Verification | undefined;
}

/** Beyond this many changes of upstream something is so wrong that the client should know. */
const MAX_LEGS = 20;
/** Bytes that may wait to be hashed. */
const MAX_BACKLOG = 8_388_608;

/**
 * Brings one body to its receiver, no faster than that takes it, and goes on from the next upstream where one breaks off (rule 2 of the
 * design: same length, an overlap that is byte-identical, and a right digest where it is computed).
 */
export class Transfer {
  readonly #options: TransferOptions;
  readonly #clock: LegClock;
  readonly #tail: Tail;
  readonly #outcome = Promise.withResolvers<void>();
  /** Upstreams that brought bytes of it. */
  readonly #contributors = new Set<string>();
  #receiver: Receiver | undefined;
  #leg: Leg | undefined;
  #legs = 1;
  /** Place in the blob of the next byte of the leg, and of the next one to be sent. */
  #place: number;
  #position: number;
  #seeking = false;
  #held = false;
  #over = false;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#clock = new LegClock(options.pace);
    this.#position = options.extent?.first ?? 0;
    this.#place = this.#position;
    this.#tail = new Tail(this.#position);
  }

  /**
   * Resolves when every byte was handed to the receiver.
   * @throws UpstreamError when nobody can go on or the digest is wrong: the last bytes were not sent; the reason of `gone`
   */
  async run(receiver: Receiver): Promise<void> {
    this.#receiver = receiver;
    const onGone = () => this.#end('neutral', () => this.#outcome.reject(receiver.gone.reason));
    receiver.onRoom = () => this.#resume();
    receiver.gone.addEventListener('abort', onGone, { once: true });
    this.#begin(this.#options.leg);
    if (receiver.gone.aborted) onGone();
    try {
      await this.#outcome.promise;
    } finally {
      receiver.gone.removeEventListener('abort', onGone);
    }
  }

  /** Gives it up before it ran. */
  discard(): void {
    this.#leg = this.#options.leg;
    this.#end('neutral', () => undefined);
  }

  #begin(leg: Leg): void {
    this.#leg = leg;
    this.#place = leg.begins;
    this.#clock.start((error) => this.#broke(leg, error));
    leg.source.start({
      data: (chunk) => this.#data(leg, chunk),
      end: () => this.#ended(leg),
      failed: (error) => this.#broke(leg, error),
    });
  }

  #data(leg: Leg, chunk: Chunk): boolean {
    if (this.#over || leg !== this.#leg) {
      chunk.release();
      return false;
    }
    const begins = this.#place;
    this.#place += chunk.bytes.length;
    const { extent } = this.#options;
    let bytes = chunk.bytes;
    if (begins < this.#position) {
      if (!this.#tail.agrees(bytes, begins)) {
        chunk.release();
        this.#broke(leg, new UpstreamError('digest', 'its bytes differ from those that were sent already'));
        return false;
      }
      bytes = bytes.subarray(Math.min(this.#position - begins, bytes.length));
    }
    if (extent && this.#position + bytes.length > extent.last + 1) {
      bytes = bytes.subarray(0, extent.last + 1 - this.#position);
    }
    if (this.#clock.took(chunk.bytes.length)) this.#seek(leg, this.#clock.slowness);
    if (bytes.length === 0) {
      chunk.release();
      return true;
    }
    return this.#forward(leg, chunk, bytes);
  }

  /** @returns whether the upstream may send more */
  #forward(leg: Leg, chunk: Chunk, bytes: Buffer): boolean {
    const { extent, verification } = this.#options;
    this.#contributors.add(leg.upstream);
    this.#position += bytes.length;
    if (extent) this.#tail.push(chunk, bytes);
    verification?.update(chunk, bytes);
    const last = extent !== undefined && this.#position === extent.last + 1;
    if (last && verification) {
      this.#clock.stop();
      void this.#prove(leg, verification, chunk, bytes);
      return true;
    }
    const room = this.#receiver?.write(bytes, () => chunk.release()) === true;
    if (last) {
      this.#complete(leg);
      return true;
    }
    if (room && (verification?.backlog ?? 0) <= MAX_BACKLOG) {
      return true;
    }
    this.#held = true;
    this.#clock.stop();
    if (room) verification?.onRoom(() => this.#resume());
    return false;
  }

  /** The last bytes leave only when the digest of all of them is right. */
  async #prove(leg: Leg, verification: Verification, chunk: Chunk, bytes: Buffer): Promise<void> {
    const verdict = await verification.verdict([...this.#contributors]);
    if (this.#over) {
      chunk.release();
    } else if (verdict === 'wrong') {
      chunk.release();
      const error = new UpstreamError('digest', 'what it sent does not have the digest that it was asked for by');
      this.#end('bad', () => this.#outcome.reject(error));
    } else {
      this.#receiver?.write(bytes, () => chunk.release());
      this.#complete(leg);
    }
  }

  #complete(leg: Leg): void {
    this.#end('good', () => this.#outcome.resolve(), leg);
  }

  #ended(leg: Leg): void {
    if (this.#over || leg !== this.#leg) return;
    const { extent } = this.#options;
    if (!extent) this.#complete(leg);
    else if (this.#position <= extent.last) this.#broke(leg, new UpstreamError('short', 'the body ended too early'));
  }

  #broke(leg: Leg, error: UpstreamError): void {
    // All that is left then is the verdict over bytes that are here already.
    if (this.#over || leg !== this.#leg || this.#isWhole()) return;
    this.#drop(leg);
    this.#seek(leg, error);
  }

  #drop(leg: Leg): void {
    this.#leg = undefined;
    this.#clock.stop();
    leg.source.destroy();
    leg.lease.ended('bad');
  }

  /** Looks for somebody who goes on. A leg that is only slow is kept until there is one. */
  #seek(leg: Leg, error: UpstreamError): void {
    if (this.#seeking) return;
    const { takeOver, extent } = this.#options;
    if (!takeOver || !extent || this.#legs >= MAX_LEGS) {
      if (!this.#leg) this.#end('bad', () => this.#outcome.reject(error));
      return;
    }
    this.#seeking = true;
    takeOver(this.#tail.start, leg, error, this.#leg !== undefined).then(
      (next) => this.#found(leg, next, error),
      (failure: unknown) => this.#found(leg, undefined, error, failure),
    );
  }

  #found(before: Leg, next: Leg | undefined, error: UpstreamError, failure?: unknown): void {
    this.#seeking = false;
    if (this.#over || this.#isWhole()) {
      next?.source.destroy();
      next?.lease.ended('neutral');
      return;
    }
    if (next) {
      if (this.#leg) this.#drop(before);
      this.#legs += 1;
      this.#begin(next);
    } else if (!this.#leg) {
      this.#end('bad', () => this.#outcome.reject(failure ?? error));
    }
  }

  #isWhole(): boolean {
    const { extent } = this.#options;
    return extent !== undefined && this.#position > extent.last;
  }

  #resume(): void {
    if (!this.#held || this.#over) return;
    this.#held = false;
    const leg = this.#leg;
    if (!leg) return;
    this.#clock.start((error) => this.#broke(leg, error));
    leg.source.resume();
  }

  #end(verdict: Verdict, settle: () => void, complete?: Leg): void {
    if (this.#over) return;
    this.#over = true;
    this.#clock.stop();
    const leg = this.#leg;
    this.#leg = undefined;
    // A source whose last byte came closes by itself, and its connection serves again.
    if (leg && (!complete || (leg.ends !== undefined && this.#place < leg.ends))) leg.source.destroy();
    leg?.lease.ended(verdict);
    this.#tail.release();
    if (verdict !== 'good') this.#options.verification?.drop();
    settle();
  }
}
