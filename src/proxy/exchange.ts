import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Allowed } from '../auth/guard.ts';
import { EVERY_UPSTREAM, type Visibility } from '../failover/plan.ts';
import type { AttemptRecord, HedgeCounts, RequestRecord, SpliceRecord } from './request-record.ts';

const PROCESS = randomBytes(5).toString('hex');
let count = 0;

/** Stands for the address of a client that had gone before it could be asked. */
export const UNKNOWN_CLIENT = 'unknown';

const OPEN: Allowed = { user: undefined };

/** What each stage found out, in fields of its own. `settle` makes the record of the request from them. */
export interface StageNotes {
  parse: Pick<RequestRecord, 'repository' | 'reference'> & { kind?: RequestRecord['kind'] };
  authorize: Pick<RequestRecord, 'user' | 'grant' | 'granted'>;
  plan: Pick<RequestRecord, 'route' | 'preferred'> & {
    /** Why the preferred upstream was not the first to be asked. */
    passedOver?: string | undefined;
  };
  fetch: Pick<RequestRecord, 'coalesced' | 'memory' | 'tag' | 'hints' | 'detail'> & {
    /** The first change that a hook told of. */
    hinted?: { repository: string; reference: string };
  };
  relay: Pick<RequestRecord, 'upstream' | 'verified' | 'detail'> & {
    /** The body broke off, and no upstream could resume it. */
    isCut?: boolean;
  };
  settle: Pick<RequestRecord, 'code' | 'detail'> & { outcome?: RequestRecord['outcome'] };
}

/** One request and its reply as they pass through the stages, and what is noted of them for `settle`. */
export class Exchange {
  readonly id = nextRequestId();
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
  readonly method: string;
  /** Raw request target. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** Address of the client; kept, because a closed socket has none. */
  client: string;
  /** What upstreams with `credentials: forward` get. Where the edge itself asks who clients are, that is nothing of theirs. */
  clientAuthorization: string | undefined;
  /** What the client may do, as `authorize` found it. In `auth.mode: open` the upstreams decide. */
  permit: Allowed = OPEN;
  /** The upstreams that this client may be shown, as `authorize` found it. */
  visible: Visibility = EVERY_UPSTREAM;
  readonly startedAt = Date.now();
  readonly attempts: AttemptRecord[] = [];
  readonly notes: StageNotes = { parse: {}, authorize: {}, plan: {}, fetch: {}, relay: {}, settle: {} };
  /** Attempts beside one that was late. */
  readonly hedges: HedgeCounts = { started: 0, won: 0, refused: 0 };
  /** Changes of upstream in the middle of the body. */
  readonly splices: SpliceRecord[] = [];
  bytesIn = 0;
  bytesOut = 0;
  firstByteMs: number | undefined;
  readonly #started = performance.now();
  /** Made when somebody asks for its signal: most requests are over before. */
  #gone: AbortController | undefined;
  #left = false;
  #whenClosed: (() => void) | undefined;
  #finished = false;
  #closed = false;
  #continued = false;

  constructor(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) {
    this.request = request;
    this.response = response;
    this.expectsContinue = expectsContinue;
    this.method = request.method ?? '';
    this.url = request.url ?? '';
    this.headers = request.headers;
    this.client = request.socket?.remoteAddress ?? UNKNOWN_CLIENT;
    this.clientAuthorization = request.headers.authorization;
    // Not asked of the response: HTTP/2's compatibility object knows neither `writableFinished` nor `closed`.
    response.once('finish', () => {
      this.#finished = !wasReset(response);
    });
    response.once('close', () => {
      this.#closed = true;
      if (!this.#finished) this.#leave();
      this.#whenClosed?.();
    });
    // Without a listener a reset by the client would end the process; `close` follows.
    request.on('error', this.#leave);
    response.on('error', this.#leave);
  }

  readonly #leave = () => {
    this.#left = true;
    this.#gone?.abort(new ClientGone());
  };

  /** Aborted when the client leaves. */
  get gone(): AbortSignal {
    if (!this.#gone) {
      this.#gone = new AbortController();
      if (this.#left) this.#gone.abort(new ClientGone());
    }
    return this.#gone.signal;
  }

  /** Whether the client has left. */
  get left(): boolean {
    return this.#left;
  }

  /** Calls once nothing more can happen to the reply, at once if that is so already. */
  whenClosed(callback: () => void): void {
    if (this.#closed) callback();
    else this.#whenClosed = callback;
  }

  /** The control of something that is done for the client alone: it is over when the client leaves. */
  control(): AbortController {
    const control = new AbortController();
    const signal = this.gone;
    if (signal.aborted) control.abort(signal.reason);
    else signal.addEventListener('abort', () => control.abort(signal.reason), { once: true });
    return control;
  }

  /** Whether the whole reply was handed over. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Whether nothing more can happen to the reply. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Tells a client that waits for it to send its body (RFC 9110 section 10.1.1). */
  sayContinue(): void {
    if (!this.expectsContinue || this.#continued) return;
    this.#continued = true;
    this.response.writeContinue();
  }

  /** Whether the client was told to send the body. */
  get continued(): boolean {
    return this.#continued;
  }

  /** Milliseconds since the request began. */
  elapsed(): number {
    return performance.now() - this.#started;
  }

  noteFirstByte(): void {
    this.firstByteMs ??= this.elapsed();
  }

  /** Whether the reply runs over HTTP/2. */
  get multiplexed(): boolean {
    return this.request.httpVersionMajor >= 2;
  }

  /** Whether a body follows the head of the request. Over HTTP/2 one of unknown length has no header that says so. */
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

  /** Whether all of the request's body was taken. */
  get bodyTaken(): boolean {
    return !this.hasBody || this.request.complete || this.request.readableEnded;
  }
}

/** HTTP/2's compatibility object emits `finish` even where the stream was reset. */
function wasReset(response: ServerResponse | Http2ServerResponse): boolean {
  return 'stream' in response && response.stream.rstCode !== 0;
}

/** The client left: nobody's failure (rule 5). */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';

  constructor() {
    super('the client left');
  }
}

/** An id that no other request has, here or on another edge: one random part a process, because random bytes for each cost 40 us. */
function nextRequestId(): string {
  count += 1;
  return `${PROCESS}${count.toString(36).padStart(6, '0')}`;
}
