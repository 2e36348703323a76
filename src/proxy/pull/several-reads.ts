import type { Span } from '../../oci/several-ranges.ts';
import type { Sink } from '../../splice/chunk-writer.ts';
import type { Leg } from '../../splice/running-leg.ts';
import type { StreamedBody } from '../../splice/transfer.ts';
import type { PrimedBody } from '../../upstream/body/primed-body.ts';
import { isOwnFault, UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import { noteBroken } from '../reply/relay.ts';
import { type AttemptRecord, addReads } from '../request-record.ts';
import { type BlobContext, readTransfer } from './blob-transfer.ts';
import type { Relayable } from './pull-plan.ts';
import { type BlobPull, type BlobRead, BrokenUrls, beginRead, legOf } from './resume-elsewhere.ts';

/** The reads of a blob for one reply that has several parts of it. Each one resumes elsewhere like the only read of another reply. */
export class SeveralReads {
  readonly #exchange: Exchange;
  readonly #context: BlobContext;
  readonly #pull: BlobPull;
  /** Bytes of the blob. */
  readonly #total: number;
  readonly #broken = new BrokenUrls();

  constructor(exchange: Exchange, context: BlobContext, pull: BlobPull, total: number) {
    this.#exchange = exchange;
    this.#context = context;
    this.#pull = pull;
    this.#total = total;
  }

  /** The read of these bytes whose answer is there already. */
  begun(span: Span, result: Relayable, body: PrimedBody): StreamedBody {
    return this.#streamed(this.#readOf(span, this.#exchange.attempts), legOf(this.#context, result, body));
  }

  /** @throws ClientGone */
  async begin(span: Span): Promise<StreamedBody> {
    const read = this.#readOf(span, []);
    return this.#streamed(read, await beginRead(this.#exchange, this.#context, read));
  }

  /** @param attempts those of this read. Other reads run beside it, so they have a list of their own until it is over. */
  #readOf({ first, last }: Span, attempts: AttemptRecord[]): BlobRead {
    const { gone, hedges } = this.#exchange;
    const scope = { gone, hedges, attempts, elapsed: () => this.#exchange.elapsed() };
    return { pull: this.#pull, extent: { first, last, total: this.#total }, scope, broken: this.#broken };
  }

  #streamed(read: BlobRead, leg: Leg | undefined): StreamedBody {
    const { attempts } = read.scope;
    const transferOf = (one: Leg) => readTransfer(this.#exchange, this.#context, read, one);
    const transfer = leg && transferOf(leg);
    const over = () => {
      if (attempts !== this.#exchange.attempts) addReads(this.#exchange.attempts, attempts.splice(0));
    };
    const sent = async (sink: Sink) => {
      if (leg && transfer) return this.#send(read, leg, transfer, sink);
      // No upstream could serve ahead of its turn. Since then a place may have become free, or an upstream may be back.
      const later = await beginRead(this.#exchange, this.#context, read);
      return later ? this.#send(read, later, transferOf(later), sink) : this.#fail(read);
    };
    return {
      run: (sink) => sent(sink).finally(over),
      discard: () => {
        transfer?.discard();
        over();
      },
    };
  }

  async #send({ scope: { attempts } }: BlobRead, leg: Leg, transfer: StreamedBody, sink: Sink): Promise<void> {
    const { notes, splices } = this.#exchange;
    notes.relay.upstream = leg.upstream;
    try {
      await transfer.run(sink);
    } catch (error) {
      if (!(error instanceof ClientGone || isOwnFault(error)))
        noteBroken(this.#exchange, error, { attempts, upstream: splices.at(-1)?.from ?? leg.upstream });
      throw error;
    }
  }

  async #fail({ extent: { first, last }, scope: { attempts } }: BlobRead): Promise<void> {
    const detail = `no upstream could serve bytes ${first}-${last} of the body`;
    // None of the reads that were sent has failed.
    Object.assign(this.#exchange.notes.relay, { isCut: true, detail });
    throw new UpstreamError(attempts.at(-1)?.reason ?? 'short', detail);
  }
}
