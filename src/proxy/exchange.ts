import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { addressKey, clientAddress, userKey } from '../auth/caller.ts';
import type { Allowed } from '../auth/guard.ts';
import { monotonicNow } from '../clock/clock.ts';
import type { NetworkSet } from '../config/network.ts';
import { EVERY_UPSTREAM, type Visibility } from '../failover/plan.ts';
import { bounded } from '../http/boundary.ts';
import { streamOf } from '../http/write-answer.ts';
import type { ByteRange } from '../oci/range.ts';
import type { Origin } from './request/sealer.ts';
import { type Scheme, schemeOf, type Transport } from './request/transport.ts';
import type { AttemptRecord, HedgeCounts, RequestRecord, SpliceRecord } from './request-record.ts';

const PROCESS = randomBytes(5).toString('hex');
let count = 0;

/** The address of a client that left before its address was read. */
export const UNKNOWN_CLIENT = 'unknown';

const OPEN: Allowed = { user: undefined };

/** What each stage found out, in fields of its own. `settle` makes the record of the request from them. */
export interface StageNotes {
  parse: Pick<RequestRecord, 'repository' | 'reference'> & { kind?: RequestRecord['kind'] };
  authorize: Pick<RequestRecord, 'user' | 'tried' | 'grant' | 'granted'>;
  plan: Pick<RequestRecord, 'route' | 'preferred'> & {
    /** Why the preferred upstream was not the first to be asked. */
    passedOver?: string | undefined;
  };
  fetch: Pick<RequestRecord, 'coalesced' | 'memory' | 'tag' | 'hints' | 'detail' | 'digest'> & {
    /** The first change that a hook told of. */
    hinted?: { repository: string; reference: string };
  };
  relay: Pick<RequestRecord, 'upstream' | 'verified' | 'detail' | 'parts'> & {
    /** The body broke off, and no upstream could resume it. */
    isCut?: boolean;
  };
  settle: Pick<RequestRecord, 'code' | 'detail'> & { outcome?: RequestRecord['outcome'] };
}

/** One request and its reply as they pass through the stages, with the notes that `settle` needs. */
export class Exchange {
  readonly id = nextRequestId();
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
  readonly method: string;
  /** Raw request target, without its scheme and host. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** The client's address. It is kept here because a closed socket has none. */
  client: string;
  readonly transport: Transport;
  /** The scheme by which the client reaches the edge. */
  scheme: Scheme = 'https';
  /** The registry that the request means. Undefined: the edge's own. */
  registry: string | undefined;
  /** Headers that let the page of another origin read the reply, where `cors` is configured. */
  cors: Record<string, string> = {};
  /** `?ns=` of a request whose registry is served here. */
  namespace: string | undefined;
  /**
   * The Authorization for upstreams with `credentials: forward`. Where the edge itself checks who clients are, their
   * own header is never forwarded.
   */
  clientAuthorization: string | undefined;
  /** The Range header that upstreams get with a pull. Undefined: all of it is asked for. */
  range: string | undefined;
  /** The ranges of a blob, if the client asked for several. */
  ranges: readonly ByteRange[] | undefined;
  /** What the client may do, as `authorize` found it. In `auth.mode: open` the upstreams decide. */
  permit: Allowed = OPEN;
  /** The upstreams that this client may be shown, as `authorize` found it. */
  visible: Visibility = EVERY_UPSTREAM;
  readonly startedAt = monotonicNow();
  readonly attempts: AttemptRecord[] = [];
  readonly notes: StageNotes = { parse: {}, authorize: {}, plan: {}, fetch: {}, relay: {}, settle: {} };
  /** Attempts that were started because another one was late. */
  readonly hedges: HedgeCounts = { started: 0, won: 0, refused: 0 };
  /** Upstreams that resumed the body. */
  readonly splices: SpliceRecord[] = [];
  bytesIn = 0;
  bytesOut = 0;
  firstByteMs: number | undefined;
  readonly #started = performance.now();
  /** Made when its signal is first asked for: most requests never need it. */
  #gone: AbortController | undefined;
  /** Whether the client has left. */
  left = false;
  /** Whether the whole reply was sent. */
  finished = false;
  /** Whether the client was told to send the body. */
  continued = false;
  readonly #held: (() => void)[] = [];
  #closed = false;
  #whenClosed: (() => void) | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, transport: Transport) {
    this.transport = transport;
    this.request = request;
    this.response = response;
    this.expectsContinue = expectsContinue;
    this.method = request.method ?? '';
    this.url = originForm(request.url ?? '');
    this.headers = request.headers;
    this.range = request.headers.range;
    this.client = request.socket?.remoteAddress ?? UNKNOWN_CLIENT;
    this.clientAuthorization = request.headers.authorization;
    // Noted here because HTTP/2's compatibility object has neither `writableFinished` nor `closed`.
    response.once('finish', () => {
      this.finished = !wasReset(response);
    });
    response.once('close', () => {
      this.#closed = true;
      if (!this.finished) this.#leave();
      this.#whenClosed?.();
    });
    // Without a listener a reset by the client would end the process; `close` follows.
    request.on('error', this.#leave);
    response.on('error', this.#leave);
  }

  /** Notes what trusted load balancers tell of the client: its address, and the scheme of its URLs. */
  noteProxies(trustedProxies: NetworkSet | undefined): void {
    const { transport, authority, headers } = this;
    const forwardedProto = headers['x-forwarded-proto']?.toString();
    this.scheme = schemeOf({ transport, authority, forwardedProto, trustedProxies });
    const forwarded = String(headers['x-forwarded-for'] ?? '');
    if (trustedProxies) this.client = clientAddress(this.client, forwarded, trustedProxies);
  }

  readonly #leave = () => {
    this.left = true;
    this.#gone?.abort(new ClientGone());
  };

  /** Aborted when the client leaves. */
  get gone(): AbortSignal {
    if (!this.#gone) {
      this.#gone = new AbortController();
      if (this.left) this.#gone.abort(new ClientGone());
    }
    return this.#gone.signal;
  }

  /**
   * Keeps the release of what was taken for this exchange, such as the permit of an attempt and the body of its answer.
   * Only an exchange that fails needs it, because a reply that is relayed uses up all of it. A second release of the
   * same does nothing.
   */
  hold(release: () => void): void {
    this.#held.push(release);
  }

  /** Releases what is held. @param onError called with what a release threw */
  releaseHeld(onError: (error: unknown) => void): void {
    for (const release of this.#held.splice(0)) bounded(release, { onError })();
  }

  /** Calls back when the reply has ended; at once if it already has. */
  whenClosed(callback: () => void): void {
    if (this.#closed) callback();
    else this.#whenClosed = callback;
  }

  /** A controller for work that is done for this client alone. It is aborted when the client leaves. */
  control(): AbortController {
    const control = new AbortController();
    const signal = this.gone;
    if (signal.aborted) control.abort(signal.reason);
    else signal.addEventListener('abort', () => control.abort(signal.reason), { once: true });
    return control;
  }

  /** Tells a client that waits for `100 Continue` to send its body (RFC 9110 section 10.1.1). */
  sendContinue(): void {
    if (!this.expectsContinue || this.continued) return;
    this.continued = true;
    // Node throws for a stream that its client has reset, from the reset on until the stream is gone.
    const stream = streamOf(this.response);
    if (stream?.closed || stream?.destroyed) return;
    this.response.writeContinue();
  }

  /** Milliseconds since the request began. */
  elapsed(): number {
    return performance.now() - this.#started;
  }

  /** Records an attempt that is over. @param started on the clock of `performance.now` */
  recordAttempt(
    { upstream, url }: Origin,
    started: number,
    rest: Omit<AttemptRecord, 'upstream' | 'url' | 'ms'>,
  ): void {
    this.attempts.push({ upstream, url, ...rest, ms: Math.round(performance.now() - started) });
  }

  /** The client whose failures are judged together (rule 8): its user, else its address. */
  get requester(): string {
    return this.permit.user === undefined ? addressKey(this.client) : userKey(this.permit.user);
  }

  /** The URL of the edge as the client knows it. */
  get ownUrl(): string {
    return `${this.scheme}://${this.authority}`;
  }

  /** Host and port by which the client reached the edge. Empty: it did not say. */
  get authority(): string {
    return String(this.headers[':authority'] ?? this.headers.host ?? '');
  }

  /** Whether the reply runs over HTTP/2. */
  get multiplexed(): boolean {
    return streamOf(this.response) !== undefined;
  }

  /** Whether the request has a body. Over HTTP/2, no header announces a body of unknown length. */
  get hasBody(): boolean {
    const { 'transfer-encoding': coding, 'content-length': length } = this.headers;
    if (coding !== undefined) return true;
    if (length !== undefined) return length !== '0';
    return (
      this.multiplexed &&
      'stream' in this.request &&
      (this.request.stream as { endAfterHeaders?: boolean }).endAfterHeaders === false
    );
  }

  /** Whether the whole body of the request was read. */
  get bodyTaken(): boolean {
    return !this.hasBody || this.request.complete || this.request.readableEnded;
  }
}

/** A target in absolute form (RFC 9112 section 3.2.2) as what it means here. The listener has refused one that names another host than Host. */
function originForm(target: string): string {
  const rest = /^https?:\/\/[^/?#]+(.*)$/is.exec(target)?.[1];
  if (rest === undefined) return target;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** HTTP/2's compatibility object emits `finish` even where the stream was reset. */
function wasReset(response: ServerResponse): boolean {
  return (streamOf(response)?.rstCode ?? 0) !== 0;
}

/** The client left. That is no failure of an upstream (rule 5). */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';

  constructor() {
    super('the client left');
  }
}

/**
 * An id that is unique over all edges. The random part is made once per process, because random bytes for each
 * request cost 40 us.
 */
function nextRequestId(): string {
  count += 1;
  return `${PROCESS}${count.toString(36).padStart(6, '0')}`;
}
