import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createProxyServer } from 'http-proxy';
import { OciError } from '../../oci/error.ts';
import { HeaderList } from '../../upstream/header-list.ts';
import type { Resolver } from '../../upstream/resolver.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';

/** A request that is forwarded with its body. */
export interface ForwardRequest {
  /** The upstream's URL. */
  url: URL;
  /** PEM of the authority behind the upstream's certificate. Undefined: the system's authorities. */
  ca: string | undefined;
  /** Path and query as sent. */
  path: string;
  headers: Record<string, string>;
  /** Milliseconds for TCP and TLS. */
  connectMs: number;
  /** Milliseconds from the last byte sent to the first of the answer. */
  answerMs: number;
  /** Milliseconds that the upstream may take no byte of the body. */
  idleMs: number;
  /** Whether the upstream is known to be down. Then no wait lasts longer than `idleMs`. */
  isDown: () => boolean;
  /** The most bytes that the body may have. */
  maxBytes: number;
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
    request.url = outbound.path;
    // The headers of an HTTP/2 request have a getter and no setter.
    Object.defineProperty(request, 'headers', { value: { ...outbound.headers }, configurable: true });
    return new Promise((resolve, reject) => {
      const proxy = createProxyServer({ selfHandleResponse: true });
      const watch = new Watch(exchange, outbound, (error) => done(() => reject(error)));
      let outgoing: ClientRequest | undefined;
      let answered = false;
      const done = (settle: () => void) => {
        watch.stop();
        gone.removeEventListener('abort', onGone);
        settle();
      };
      const fail = (error: unknown) => {
        // After it has answered, an upstream may close a connection that the body is still written to. The stream of
        // the answer tells how the answer ends.
        if (answered) return;
        done(() => reject(gone.aborted ? new ClientGone() : error));
        outgoing?.destroy();
      };
      const onGone = () => fail(new ClientGone());
      gone.addEventListener('abort', onGone, { once: true });
      watch.onTimeout = fail;
      proxy.on('proxyReq', (made) => {
        outgoing = made;
        watch.sending(made);
      });
      proxy.on('proxyRes', (answer: IncomingMessage) => {
        answered = true;
        done(() =>
          resolve({ status: answer.statusCode ?? 502, headers: HeaderList.fromRaw(answer.rawHeaders), body: answer }),
        );
      });
      proxy.on('error', (error: unknown) => fail(asUpstreamError(error)));
      // http-proxy destroys the response that it is given when the answer breaks off. It gets a stand-in, because the
      // client's response is still needed.
      proxy
        .web(request, new http.ServerResponse(request), {
          target: targetOf(outbound.url),
          agent: this.#agent(outbound),
        })
        .catch(fail);
    });
  }

  /**
   * Each request has a connection of its own. The upstream may have closed a pooled one, and a body cannot be sent
   * twice.
   */
  #agent({ url, ca }: ForwardRequest): http.Agent {
    const options = { keepAlive: false, lookup: this.#resolver.lookup };
    if (url.protocol === 'http:') return new http.Agent(options);
    const servername = /^[\d.]+$|:/.test(hostnameOf(url)) ? '' : hostnameOf(url);
    return new https.Agent({ ...options, servername, ...(ca === undefined ? {} : { ca }) });
  }
}

function targetOf(url: URL): { protocol: string; host: string; port: string } {
  return { protocol: url.protocol, host: hostnameOf(url), port: url.port };
}

function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** The clocks of one forwarded request: for the connection, the body and the answer. */
class Watch {
  onTimeout: (error: Error) => void;
  readonly #exchange: Exchange;
  readonly #outbound: ForwardRequest;
  readonly #pulse: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #movedAt = Date.now();

  constructor(exchange: Exchange, outbound: ForwardRequest, onTimeout: (error: Error) => void) {
    this.#exchange = exchange;
    this.#outbound = outbound;
    this.onTimeout = onTimeout;
    this.#pulse = setInterval(() => this.#giveUpIfDown(), CHECK_MS);
    this.#after(
      outbound.connectMs,
      () => new UpstreamError('connect', `no connection within ${outbound.connectMs} ms`),
    );
  }

  /** Called when the request has a socket. Its body begins to flow when the socket is connected. */
  sending(outgoing: ClientRequest): void {
    const { socket } = outgoing;
    const connected = () => {
      // Before that, the upstream cannot take the body.
      this.#exchange.sendContinue();
      this.#watchBody(outgoing);
    };
    if (socket?.connecting) socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected);
    else connected();
    this.#exchange.request.on('data', (chunk: Buffer) => {
      this.#exchange.bytesIn += chunk.length;
      this.#movedAt = Date.now();
      if (this.#exchange.bytesIn > this.#outbound.maxBytes) this.onTimeout(tooLarge(this.#outbound.maxBytes));
    });
    outgoing.once('finish', () =>
      this.#after(
        this.#outbound.answerMs,
        () => new UpstreamError('first-byte', `no answer within ${this.#outbound.answerMs} ms`),
      ),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#pulse);
  }

  #watchBody(outgoing: ClientRequest): void {
    if (outgoing.writableFinished) return;
    clearTimeout(this.#timer);
    this.#movedAt = Date.now();
    this.#timer = setInterval(() => {
      const { idleMs } = this.#outbound;
      if (Date.now() - this.#movedAt < idleMs) return;
      // The listener cuts a client that sends nothing.
      if (outgoing.writableNeedDrain)
        this.onTimeout(new UpstreamError('stall', `it took no byte of the body for ${idleMs} ms`));
    }, CHECK_MS);
  }

  /** An answer may take long while storage copies a large blob, but not from an upstream that is down. */
  #giveUpIfDown(): void {
    const { idleMs, isDown } = this.#outbound;
    if (Date.now() - this.#movedAt < idleMs || !isDown()) return;
    this.onTimeout(new UpstreamError('stall', `it is down, and nothing moved for ${idleMs} ms`));
  }

  #after(ms: number, error: () => Error): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.onTimeout(error()), ms);
  }
}

function tooLarge(maxBytes: number): OciError {
  return new OciError('SIZE_INVALID', `the manifest is larger than ${maxBytes} bytes`);
}
