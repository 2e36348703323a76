import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createProxyServer } from 'http-proxy';
import { monotonicNow } from '../../clock/clock.ts';
import type { Failure } from '../../failover/classify.ts';
import { isStalled, type PushProgress } from '../../failover/push-stall.ts';
import { bounded } from '../../http/boundary.ts';
import { OciError } from '../../oci/error.ts';
import { MAX_HEADER_BYTES } from '../../upstream/client.ts';
import { HeaderList } from '../../upstream/header-list.ts';
import type { Replica } from '../../upstream/health/replica.ts';
import type { Resolver } from '../../upstream/resolver.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';

/** A request that is forwarded with its body. */
export interface ForwardRequest {
  upstream: Upstream;
  replica: Replica;
  /** The URL of the upstream that gets it. */
  url: URL;
  /** Path and query as sent. */
  path: string;
  headers: Record<string, string>;
  /** Milliseconds for TCP and TLS. */
  connectMs: number;
  /** Milliseconds from the last byte sent to the first of the answer. */
  answerMs: number;
  /** Milliseconds that the upstream may take no byte of the body. */
  idleMs: number;
  /** The same while its probes fail. While it is down, no wait lasts longer. */
  stallMs: number;
  /** The most bytes that the body may have. */
  maxBytes: number;
  /** Gives up the request, until it is answered. */
  signal?: AbortSignal;
}

export interface ForwardedResponse {
  status: number;
  headers: HeaderList;
  body: IncomingMessage;
}

const CHECK_MS = 1000;

/**
 * Streams requests with bodies to an upstream and its answers back, with backpressure both ways. It never sends a
 * request twice.
 */
export class Forwarder {
  readonly #resolver: Resolver;

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  /**
   * Resolves with the head of the answer. The caller relays the body.
   * @throws UpstreamError, ClientGone, or OciError SIZE_INVALID
   */
  async forward(exchange: Exchange, outbound: ForwardRequest): Promise<ForwardedResponse> {
    const { request, gone } = exchange;
    if (gone.aborted) throw new ClientGone();
    outbound.signal?.throwIfAborted();
    request.url = outbound.path;
    // The headers of an HTTP/2 request have a getter and no setter.
    Object.defineProperty(request, 'headers', { value: { ...outbound.headers }, configurable: true });
    const { promise, resolve, reject } = Promise.withResolvers<ForwardedResponse>();
    let outgoing: ClientRequest | undefined;
    let answered = false;
    const fail = (error: unknown) => {
      // After it has answered, an upstream may close a connection that the body is still written to. The stream of
      // the answer tells how the answer ends.
      if (answered) return;
      reject(gone.aborted ? new ClientGone() : error);
      outgoing?.destroy();
    };
    const watch = new Watch(exchange, outbound, fail);
    gone.addEventListener('abort', fail, { once: true });
    const onAbort = () => fail(outbound.signal?.reason);
    outbound.signal?.addEventListener('abort', onAbort, { once: true });
    const proxy = createProxyServer({ selfHandleResponse: true });
    proxy.on('proxyReq', (made) => {
      outgoing = made;
      watch.sending(made);
    });
    proxy.on('proxyRes', (answer: IncomingMessage) => {
      answered = true;
      resolve({ status: answer.statusCode ?? 502, headers: HeaderList.fromRaw(answer.rawHeaders), body: answer });
    });
    proxy.on('error', (error: unknown) => fail(asUpstreamError(error)));
    // http-proxy destroys the response that it is given when the answer breaks off. It gets a stand-in, because the
    // client's response is still needed.
    const standIn = new http.ServerResponse(request);
    proxy.web(request, standIn, { target: targetOf(outbound.url), agent: this.#agent(outbound) }).catch(fail);
    try {
      return await promise;
    } finally {
      watch.stop();
      gone.removeEventListener('abort', fail);
      outbound.signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Each request has a connection of its own. The upstream may have closed a pooled one, and a body cannot be sent
   * twice.
   */
  #agent({ url, upstream: { ca } }: ForwardRequest): http.Agent {
    const options = { keepAlive: false, lookup: this.#resolver.lookup };
    if (url.protocol === 'http:') return withLongHeaders(new http.Agent(options));
    const servername = /^[\d.]+$|:/.test(hostnameOf(url)) ? '' : hostnameOf(url);
    return withLongHeaders(new https.Agent({ ...options, servername, ...(ca === undefined ? {} : { ca }) }));
  }
}

/** Called by Node with each request, before its connection is made and its parser takes the bound. Node's types do not name it. */
type AddRequest = (request: ClientRequest & { maxHeaderSize?: number }, ...rest: unknown[]) => void;

/** http-proxy passes no bound for the headers of an answer on, and Node's own is 16 KiB. */
function withLongHeaders(agent: http.Agent): http.Agent {
  const { addRequest } = agent as unknown as { addRequest: AddRequest };
  const add: AddRequest = (request, ...rest) => {
    request.maxHeaderSize = MAX_HEADER_BYTES;
    addRequest.call(agent, request, ...rest);
  };
  return Object.assign(agent, { addRequest: add });
}

function targetOf(url: URL): { protocol: string; host: string; port: string } {
  return { protocol: url.protocol, host: hostnameOf(url), port: url.port };
}

function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** The clocks of one forwarded request: for the connection, the body and the answer. */
class Watch {
  readonly #exchange: Exchange;
  readonly #outbound: ForwardRequest;
  readonly #fail: (error: Error) => void;
  readonly #pulse: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #movedAt = monotonicNow();
  #outgoing: ClientRequest | undefined;

  constructor(exchange: Exchange, outbound: ForwardRequest, fail: (error: Error) => void) {
    this.#exchange = exchange;
    this.#outbound = outbound;
    this.#fail = fail;
    this.#pulse = setInterval(
      bounded(() => this.#checkProgress(), this.#boundary),
      CHECK_MS,
    );
    this.#failAfter(outbound.connectMs, 'connect', 'no connection');
  }

  /** An exception ends the push. */
  get #boundary(): { onError: (error: unknown) => void } {
    return { onError: (error) => this.#fail(error instanceof Error ? error : new Error(String(error))) };
  }

  /** Called when the request has a socket. Its body begins to flow when the socket is connected. */
  sending(outgoing: ClientRequest): void {
    const { socket } = outgoing;
    this.#outgoing = outgoing;
    const { maxBytes, answerMs } = this.#outbound;
    const connected = bounded(() => {
      // Before that, the upstream cannot take the body.
      this.#exchange.sendContinue();
      if (outgoing.writableFinished) return;
      clearTimeout(this.#timer);
      this.#movedAt = monotonicNow();
    }, this.#boundary);
    if (socket?.connecting) socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected);
    else connected();
    this.#exchange.request.on('data', (chunk: Buffer) => {
      this.#exchange.bytesIn += chunk.length;
      this.#movedAt = monotonicNow();
      if (this.#exchange.bytesIn > maxBytes)
        this.#fail(new OciError('SIZE_INVALID', `the manifest is larger than ${maxBytes} bytes`));
    });
    outgoing.once('finish', () => this.#failAfter(answerMs, 'first-byte', 'no answer'));
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#pulse);
  }

  /** The listener cuts a client that sends nothing. */
  #checkProgress(): void {
    const { idleMs, stallMs, replica } = this.#outbound;
    const now = monotonicNow();
    const [phase, movedAt] = [this.#phase, this.#movedAt];
    if (isStalled({ phase, movedAt }, replica.view(), stallMs, now))
      this.#fail(new UpstreamError('stall', `its probes fail, and nothing moved for ${stallMs} ms`));
    else if (phase === 'sending' && now - movedAt >= idleMs)
      this.#fail(new UpstreamError('stall', `it took no byte of the body for ${idleMs} ms`));
  }

  get #phase(): PushProgress['phase'] {
    if (this.#outgoing?.writableFinished) return 'sent';
    return this.#outgoing?.writableNeedDrain ? 'sending' : 'waiting';
  }

  #failAfter(ms: number, reason: Failure, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(new UpstreamError(reason, `${what} within ${ms} ms`)), ms);
  }
}
