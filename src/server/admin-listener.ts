import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addressOf, closeNow, listenOn } from './bound-address.ts';
import { limitConnections } from './connection-limit.ts';
import { writeAnswer } from './edge-answer.ts';

export interface AdminListenerOptions {
  /** `127.0.0.1:9443`. */
  address: string;
  handler: (req: IncomingMessage, res: ServerResponse) => void;
  onError: (error: unknown) => void;
}

const HEADER_BYTES = 8_192;
const BODY_BYTES = 65_536;
const CONNECTIONS = 256;

/** Plain HTTP for the operator: status, metrics, health. */
export class AdminListener {
  readonly #options: AdminListenerOptions;
  readonly #server: http.Server;

  constructor(options: AdminListenerOptions) {
    this.#options = options;
    this.#server = http.createServer(
      {
        headersTimeout: 5_000,
        requestTimeout: 10_000,
        connectionsCheckingInterval: 2_500,
        keepAliveTimeout: 30_000,
        maxHeaderSize: HEADER_BYTES,
        insecureHTTPParser: false,
      },
      (req, res) => this.#receive(req, res),
    );
    limitConnections(this.#server, CONNECTIONS);
  }

  /** Resolves with the address once connections are taken. */
  async listen(): Promise<AddressInfo> {
    return listenOn(this.#server, this.#options.address, this.#options.onError);
  }

  address(): AddressInfo {
    return addressOf(this.#server);
  }

  /** Closes at once, replies under way included: it is the last to go. */
  async close(): Promise<void> {
    await closeNow(this.#server);
  }

  #receive(req: IncomingMessage, res: ServerResponse): void {
    // Node takes the first; a proxy before this listener may have looked at the other.
    if ((req.headersDistinct.host?.length ?? 0) > 1) {
      writeAnswer(res, { status: 400, message: 'more than one host header' });
      return;
    }
    // Bodies here are small JSON that names its length; without one their size is known too late.
    if (req.headers['transfer-encoding'] !== undefined) {
      writeAnswer(res, { status: 411, message: 'a body needs a Content-Length' });
      return;
    }
    if (Number(req.headers['content-length'] ?? 0) > BODY_BYTES) {
      writeAnswer(res, { status: 413, message: `a body may be at most ${BODY_BYTES} bytes` });
      return;
    }
    try {
      this.#options.handler(req, res);
    } catch (error) {
      this.#options.onError(error);
      res.destroy();
    }
  }
}
