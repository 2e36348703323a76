import type { DigestCheck } from '../digest/digest-check.ts';
import { bounded } from '../http/boundary.ts';
import type { ContentRange } from '../oci/range.ts';
import type { Chunk } from '../upstream/body/body-source.ts';
import { UpstreamError } from '../upstream/upstream-error.ts';
import { Backpressure } from './backpressure.ts';
import { ChunkWriter, type Sink } from './chunk-writer.ts';
import { OverlapWindow } from './overlap.ts';
import { type Leg, RunningLeg } from './running-leg.ts';
import type { ThroughputLimits } from './throughput.ts';

/**
 * Finds an upstream that sends the bytes from offset `from` on in place of `broken`; undefined when there is none.
 * @param stillSending `broken` still sends bytes, but too slowly
 */
export type ResumeElsewhere = (
  from: number,
  broken: Leg,
  error: UpstreamError,
  stillSending: boolean,
) => Promise<Leg | undefined>;

export interface TransferOptions {
  leg: Leg;
  limits: ThroughputLimits;
  /** The bytes of the blob promised to the client; undefined when they are not known. Such a body cannot be resumed. */
  extent?: ContentRange | undefined;
  /** Called for one break at a time. */
  resumeElsewhere?: ResumeElsewhere | undefined;
  /** Decides at the end whether the last bytes may be sent. */
  check?: DigestCheck | undefined;
}

/** A body on its way to a client. */
export interface StreamedBody {
  /** Resolves when every byte was handed to the sink. Rejects with the error that broke off the body, or the reason of `closed`. */
  run(sink: Sink): Promise<void>;
  /** Gives up a body that was never run. */
  discard(): void;
}

/** A body that has changed upstreams this often is not resumed again: the client should see the failure. */
const MAX_LEGS = 20;

/**
 * Sends one body to its sink with backpressure, and resumes the body from another upstream when a leg breaks off. Rule
 * 2 (ARCHITECTURE.md) applies: the total length must be the same, the overlap must be byte-identical, and a digest that is
 * computed must be right.
 */
export class Transfer implements StreamedBody {
  readonly #options: TransferOptions;
  readonly #overlap: OverlapWindow;
  /** What a callback of a source, the sink or a timer throws ends this transfer (rule 12). */
  readonly #boundary = { onError: (error: unknown) => this.#fail('neutral', error) };
  readonly #backpressure = new Backpressure(bounded(() => this.#continueReading(), this.#boundary));
  readonly #outcome = Promise.withResolvers<void>();
  /** Upstreams whose bytes are part of the body. */
  readonly #contributors = new Set<string>();
  #writer: ChunkWriter | undefined;
  #current: RunningLeg | undefined;
  #legCount = 1;
  /** Offset in the blob of the next byte to send. */
  #offset: number;
  #resuming = false;
  /** The error that broke off the last leg; undefined while a leg is running. */
  #lastError: UpstreamError | undefined;
  #settled = false;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#offset = options.extent?.first ?? 0;
    this.#overlap = new OverlapWindow(this.#offset);
  }

  /**
   * Resolves when every byte was handed to the sink.
   * @throws UpstreamError when no upstream can resume the body or the digest is wrong (the last bytes are then not
   * sent); the reason of `closed`
   */
  async run(sink: Sink): Promise<void> {
    if (sink.closed.aborted) {
      this.discard();
      throw sink.closed.reason;
    }
    this.#writer = new ChunkWriter(sink);
    const onClosed = () => this.#fail('neutral', sink.closed.reason);
    sink.onDrain = () => this.#backpressure.sinkDrained();
    sink.closed.addEventListener('abort', onClosed, { once: true });
    bounded(() => this.#startLeg(this.#options.leg), this.#boundary)();
    try {
      await this.#outcome.promise;
    } finally {
      sink.closed.removeEventListener('abort', onClosed);
    }
  }

  /** Gives up a transfer that was never run. */
  discard(): void {
    if (this.#settled) return;
    new RunningLeg(this.#options.leg, this.#options.limits).drop('neutral');
    this.#release();
    this.#options.check?.abandon();
  }

  #startLeg(leg: Leg): void {
    const running = new RunningLeg(leg, this.#options.limits);
    this.#current = running;
    this.#lastError = undefined;
    this.#backpressure.reset();
    this.#watchStall(running);
    const onData = bounded((chunk: Chunk) => this.#onData(running, chunk), this.#boundary);
    leg.source.start({
      data: (chunk) => onData(chunk) === true,
      end: bounded(() => this.#onEnd(running), this.#boundary),
      failed: bounded((error) => this.#onBroken(running, error), this.#boundary),
    });
  }

  #watchStall(running: RunningLeg): void {
    running.stallDetector.start(bounded((error) => this.#onBroken(running, error), this.#boundary));
  }

  #onData(running: RunningLeg, chunk: Chunk): boolean {
    if (this.#settled || running !== this.#current) {
      chunk.release();
      // The upstream sends more than it announced.
      running.destroySource();
      return false;
    }
    const { bytes } = chunk;
    const chunkOffset = running.offset;
    running.offset += bytes.length;
    if (this.#isComplete()) {
      chunk.release();
      return false;
    }
    const { extent } = this.#options;
    const alreadySent = Math.min(Math.max(0, this.#offset - chunkOffset), bytes.length);
    if (!this.#overlap.matches(bytes.subarray(0, alreadySent), chunkOffset)) {
      chunk.release();
      this.#onBroken(running, new UpstreamError('digest', 'the bytes differ from those already sent to the client'));
      return false;
    }
    const slow = running.stallDetector.addBytes(bytes.length);
    const fresh = bytes.subarray(alreadySent, extent && alreadySent + extent.last + 1 - this.#offset);
    const more = fresh.length === 0 || this.#forward(running, chunk, fresh);
    if (fresh.length === 0) chunk.release();
    if (slow && running === this.#current && !this.#isComplete()) this.#findNextLeg(running, slow);
    return more;
  }

  /** @returns whether the upstream may send more */
  #forward(running: RunningLeg, chunk: Chunk, bytes: Buffer): boolean {
    const { extent, check } = this.#options;
    this.#contributors.add(running.leg.upstream);
    this.#offset += bytes.length;
    if (extent) this.#overlap.push(chunk, bytes);
    const checkHasRoom = check?.update(chunk, bytes) ?? true;
    if (this.#isComplete()) {
      running.stallDetector.stop();
      bounded(() => this.#sendLastBytes(running, chunk, bytes), this.#boundary)();
      // The source may still signal its end, but no byte beyond the extent is wanted.
      return running.offset === running.leg.endOffset;
    }
    const paused = this.#backpressure.update(!this.#writer?.write(chunk, bytes), !checkHasRoom);
    if (paused) running.stallDetector.stop();
    if (!checkHasRoom) check?.onDrain(() => this.#backpressure.checkDrained());
    return !paused;
  }

  /** The last bytes are sent only when the digest of the whole body is right. */
  async #sendLastBytes(running: RunningLeg, chunk: Chunk, bytes: Buffer): Promise<void> {
    const { check } = this.#options;
    try {
      const verdict = check && (await check.verdict([...this.#contributors]));
      if (verdict === 'wrong') throw new UpstreamError('digest', 'the body does not match its digest');
    } catch (error) {
      this.#fail('bad', error);
    }
    // The client may have left while the digest was computed.
    if (this.#settled) return chunk.release();
    this.#writer?.write(chunk, bytes);
    if (!this.#settled) this.#complete(running);
  }

  #complete(running: RunningLeg): void {
    running.complete();
    this.#release();
    this.#outcome.resolve();
  }

  #onEnd(running: RunningLeg): void {
    running.sourceEnded();
    if (this.#settled || running !== this.#current) return;
    if (!this.#options.extent) this.#complete(running);
    else this.#onBroken(running, new UpstreamError('short', 'the body ended early'));
  }

  #onBroken(running: RunningLeg, error: UpstreamError): void {
    // All bytes have arrived; only the digest check is left.
    if (this.#settled || running !== this.#current || this.#isComplete()) return;
    this.#lastError = error;
    this.#current = undefined;
    running.drop('bad');
    this.#findNextLeg(running, error);
  }

  /** A leg that is only slow is kept until its replacement is found. */
  #findNextLeg(running: RunningLeg, error: UpstreamError): void {
    if (this.#resuming) return;
    const { resumeElsewhere, extent } = this.#options;
    const stillSending = running === this.#current;
    if (!resumeElsewhere || !extent || this.#legCount >= MAX_LEGS) {
      if (!stillSending) this.#fail('bad', error);
      return;
    }
    this.#resuming = true;
    resumeElsewhere(this.#overlap.start, running.leg, error, stillSending).then(
      bounded((next) => this.#onNextLeg(running, next, stillSending), this.#boundary),
      (failure: unknown) => this.#fail('bad', failure),
    );
  }

  #onNextLeg(before: RunningLeg, next: Leg | undefined, wasSending: boolean): void {
    this.#resuming = false;
    if (this.#settled || this.#isComplete()) {
      next?.source.destroy();
      next?.permit.reportEnd('neutral');
    } else if (next) {
      this.#current?.drop('bad');
      this.#legCount += 1;
      next.onStart?.();
      this.#startLeg(next);
    } else if (this.#lastError) {
      // If the slow leg has broken off during the search, its upstream may be asked again too.
      if (wasSending) this.#findNextLeg(before, this.#lastError);
      else this.#fail('bad', this.#lastError);
    }
  }

  #isComplete(): boolean {
    const { extent } = this.#options;
    return extent !== undefined && this.#offset > extent.last;
  }

  #continueReading(): void {
    const running = this.#current;
    if (!running) return;
    this.#watchStall(running);
    running.leg.source.resume();
  }

  #fail(verdict: 'bad' | 'neutral', reason: unknown): void {
    if (this.#settled) return;
    const running = this.#current;
    this.#release();
    this.#outcome.reject(reason);
    running?.drop(verdict);
    this.#options.check?.abandon();
  }

  #release(): void {
    this.#settled = true;
    this.#current = undefined;
    this.#overlap.release();
  }
}
