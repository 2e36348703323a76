import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bounded } from '../http/boundary.ts';
import { writeAnswer } from '../http/write-answer.ts';
import { closeNow } from './bound-address.ts';
import { writeEdgeAnswer } from './edge-answer.ts';
import { openListener } from './passed-sockets.ts';
import { ProxyGate, type ProxyTrust } from './proxy-gate.ts';
import { receivePlainRequests } from './request-receiver.ts';

export interface RedirectListenerOptions {
  /** `0.0.0.0:80`. */
  address: string;
  /** File descriptor of a socket that the service manager has opened at the address. */
  passed?: number | undefined;
  /** Names that are redirected; any other Host gets 421. Called for each request, so that a reload takes effect. */
  hostnames: () => readonly string[];
  /** Port of the https listener for the Location; 443 is left out. */
  httpsPort: () => number;
  /** The answer to a challenge of ACME; undefined: there is no such challenge. */
  challengeAnswer?: (token: string) => string | undefined;
  onError: (error: unknown) => void;
  /** Called after each new connection was accepted. */
  onConnection?: () => void;
  /** Connections of load balancers may begin with a PROXY header, whose content is not needed. Omitted: they do not. */
  proxies?: ProxyTrust | undefined;
}

/** Milliseconds for the head of a request, and for a PROXY header before it. */
const HEADERS_MS = 10_000;

const CONNECTIONS = 1_000;

const CHALLENGE = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,256})$/;

/** Plain HTTP that redirects to https, answers challenges of ACME, and reads no body. */
export class RedirectListener {
  readonly #options: RedirectListenerOptions;
  readonly #server: http.Server;
  readonly #gate: ProxyGate | undefined;

  constructor(options: RedirectListenerOptions) {
    this.#options = options;
    this.#server = http.createServer({
      headersTimeout: HEADERS_MS,
      requestTimeout: HEADERS_MS,
      connectionsCheckingInterval: 2_500,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 8_192,
      requireHostHeader: false,
      insecureHTTPParser: false,
    });
    this.pause(false);
    const { proxies, onError, onConnection = () => undefined } = options;
    this.#server.on('connection', bounded(onConnection, { onError }));
    receivePlainRequests(this.#server, { handler: (req, res) => this.#redirect(req, res), onError });
    this.#gate = proxies && new ProxyGate(this.#server, { ...proxies, onError, required: false, timeout: HEADERS_MS });
  }

  /** Resolves with the address once connections are taken. */
  async listen(): Promise<AddressInfo> {
    const { address, passed, onError } = this.#options;
    return openListener(this.#server, { name: 'http', address, passed }, onError);
  }

  /** While paused, new connections are closed at once, and all that there are: a redirect takes no time. */
  pause(paused: boolean): void {
    this.#server.maxConnections = paused ? 0 : CONNECTIONS;
    if (paused) this.#server.closeAllConnections();
  }

  /** Closes at once, without waiting for redirects. */
  async close(): Promise<void> {
    const closed = closeNow(this.#server);
    this.#gate?.close();
    await closed;
  }

  #redirect(req: IncomingMessage, res: ServerResponse): void {
    // A challenge is answered for any Host: an ACME server asks by each name of the certificate (RFC 8555 section 8.3).
    const [, token] = CHALLENGE.exec(req.url ?? '') ?? [];
    const challenge = token === undefined ? undefined : this.#options.challengeAnswer?.(token);
    if (challenge !== undefined) {
      const described = { 'content-type': 'application/octet-stream', 'content-length': String(challenge.length) };
      writeAnswer(res, { status: 200, headers: { ...described, connection: 'close' }, body: challenge });
      return;
    }
    const name = hostOf(req.headers.host ?? '');
    const hostname = this.#options.hostnames().find((configured) => configured.toLowerCase() === name);
    const path = pathOf(req.url ?? '');
    if (hostname === undefined) {
      writeEdgeAnswer(res, { status: 421, message: 'no such host here' });
    } else if (path === undefined) {
      writeEdgeAnswer(res, { status: 400, message: 'malformed request target' });
    } else {
      const port = this.#options.httpsPort();
      const location = `https://${bracketed(hostname)}${port === 443 ? '' : `:${port}`}${path}`;
      // The request body is not read, so the connection cannot be reused.
      writeAnswer(res, { status: 308, headers: { location, 'content-length': '0', connection: 'close' }, body: '' });
    }
  }
}

/** The host of a Host header, without its port, in lower case. */
function hostOf(header: string): string {
  return header
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

function bracketed(hostname: string): string {
  return hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname;
}

/** Path and query of a request target; undefined: malformed, or with characters that a header may not have. */
function pathOf(target: string): string | undefined {
  const path = target.replace(/^http:\/\/[^/?#]*/i, '') || '/';
  return /^\/[\x21-\x7e]*$/.test(path) ? path : undefined;
}
