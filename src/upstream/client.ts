import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { Agent, type Dispatcher, Pool } from 'undici';
import { HeaderList } from './header-list.ts';
import type { Resolver } from './resolver.ts';
import { asUpstreamError } from './upstream-error.ts';

export interface Call {
  method: string;
  /** Path and query as sent. */
  path: string;
  headers: Record<string, string>;
  body?: string | Buffer | Readable | undefined;
  signal: AbortSignal;
  /**
   * Keeps the connection after a HEAD. By default undici closes it, because some servers send a body with the answer,
   * which would be read as the next answer.
   */
  keepAlive?: boolean | undefined;
}

/** A request to another host, whose URL tells the path. */
export type CallElsewhere = Omit<Call, 'path'>;

export interface Answer {
  status: number;
  headers: HeaderList;
  /** Must be read to its end or destroyed, else its connection is lost. */
  body: Readable & { dump(options?: { limit: number; signal?: AbortSignal }): Promise<void> };
}

export interface ClientOptions {
  ca: string | undefined;
  /** Milliseconds for TCP and TLS together. */
  connectMs: number;
  /** Connections at most. Callers bound their requests to fewer, so that no request is queued here. */
  connections: number;
  resolver: Pick<Resolver, 'lookup'>;
  /** Resolves the hosts that the upstream names. Default: `resolver`. */
  elsewhere?: Pick<Resolver, 'lookup'>;
  /** The TLS server name. The certificate is not verified, because the answers carry their own proof. */
  unverifiedAs?: string;
}

/** Bytes of the headers of an answer. Artifact Registry answers with 21 kB. */
export const MAX_HEADER_BYTES = 65_536;

/** HTTP/1.1 to one URL, and to the hosts that its redirects lead to. Callers set time limits by their signals. */
export class Client {
  readonly #pool: Pool;
  readonly #otherHosts: Agent;

  constructor(url: URL, { ca, connectMs, connections, resolver, elsewhere = resolver, unverifiedAs }: ClientOptions) {
    const connect = {
      timeout: connectMs,
      lookup: resolver.lookup,
      ...(unverifiedAs === undefined ? {} : withoutVerification(unverifiedAs)),
    };
    const shared = {
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
    };
    this.#pool = new Pool(url.origin, {
      ...shared,
      connections,
      connect: { ...connect, ca },
    });
    const { lookup } = elsewhere;
    this.#otherHosts = new Agent({ ...shared, connections, connect: { ...connect, lookup, ca: otherHostsCa(ca) } });
  }

  /** @throws UpstreamError when there is no answer; the signal's reason when it was aborted */
  async send(call: Call): Promise<Answer> {
    return answerTo(this.#pool.request(optionsOf(call, call.path)), call.signal);
  }

  /** Sends a request to another host. @param url absolute */
  async sendElsewhere(url: URL, call: CallElsewhere): Promise<Answer> {
    const options = optionsOf(call, url.pathname + url.search);
    return answerTo(this.#otherHosts.request({ ...options, origin: url.origin }), call.signal);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#otherHosts.destroy()]);
  }
}

/** The authorities for the hosts that redirects lead to. @param ca of the upstream itself */
export function otherHostsCa(ca: string | undefined): string[] | undefined {
  return ca === undefined ? undefined : [...tls.getCACertificates('default'), ca];
}

/** RFC 6066 section 3 allows no addresses in SNI. */
function withoutVerification(name: string): { servername?: string; rejectUnauthorized: false } {
  const isAddress = isIP(name.replace(/^\[|\]$/g, '')) !== 0;
  return { ...(isAddress ? {} : { servername: name }), rejectUnauthorized: false };
}

function optionsOf(call: CallElsewhere, path: string): Dispatcher.RequestOptions {
  const { method, headers, body, signal, keepAlive = false } = call;
  const options = { method: method as Dispatcher.HttpMethod, path, headers, body: body ?? null, signal };
  return { ...options, responseHeaders: 'raw', ...(keepAlive ? { reset: false } : {}) };
}

async function answerTo(response: Promise<Dispatcher.ResponseData>, signal: AbortSignal): Promise<Answer> {
  try {
    const { statusCode, headers, body } = await response;
    // A body may break off before its reader listens, for example while the canary is read. The reader learns of it then.
    body.on('error', () => undefined);
    // With `responseHeaders: 'raw'` undici returns the alternating list, against its types.
    return { status: statusCode, headers: HeaderList.fromRaw(headers as unknown as Buffer[]), body };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw asUpstreamError(error);
  }
}
