import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { limitConnections } from './connection-limit.ts';
import { type EdgeAnswer, writeEdgeAnswer } from './edge-answer.ts';
import { Exchanges } from './exchanges.ts';
import { receivePlainRequests } from './request-receiver.ts';
import { cutStalledClients } from './stall-watch.ts';

const HEADER_BYTES = 8_192;
const BODY_BYTES = 65_536;
/** Connections at once. `short`: while no descriptors are left, about as many as are given up for this listener. */
const CONNECTIONS = { usual: 256, short: 16 };

export interface AdminServerOptions {
  /** Called at each new connection: whether descriptors are short. Default: they never are. */
  isShort?: () => boolean;
  /** Milliseconds after which a client that makes no progress is cut. */
  idle?: number;
  /** Milliseconds between two looks for such clients. */
  sweep?: number;
}

/**
 * A server of plain HTTP for the operator: status, metrics, health.
 * @param handler if it throws or its promise rejects, its exchange fails
 * @param onError called with what the handler threw
 */
export function createAdminServer(
  handler: (req: IncomingMessage, res: ServerResponse) => unknown,
  onError: (error: unknown) => void,
  { isShort = () => false, idle = 60_000, sweep = 5_000 }: AdminServerOptions = {},
): http.Server {
  const options = {
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    connectionsCheckingInterval: 2_500,
    keepAliveTimeout: 30_000,
    maxHeaderSize: HEADER_BYTES,
    // The receiver checks this and answers with a body that clients show.
    requireHostHeader: false,
    insecureHTTPParser: false,
  };
  const receive = (req: IncomingMessage, res: ServerResponse, expectContinue: boolean) => {
    const refusal = refusalOf(req);
    if (refusal) return writeEdgeAnswer(res, refusal);
    if (expectContinue) res.writeContinue();
    return handler(req, res);
  };
  const server = http.createServer(options);
  const exchanges = new Exchanges(() => undefined);
  receivePlainRequests(server, { exchanges, handler: receive, onError });
  limitConnections(server, () => (isShort() ? CONNECTIONS.short : CONNECTIONS.usual), onError);
  cutStalledClients(server, exchanges, idle, sweep);
  return server;
}

function refusalOf({ headers }: IncomingMessage): EdgeAnswer | undefined {
  // Bodies here are small JSON that names its length; without one their size is known too late.
  if (headers['transfer-encoding'] !== undefined) return { status: 411, message: 'a body needs a Content-Length' };
  if (Number(headers['content-length'] ?? 0) > BODY_BYTES)
    return { status: 413, message: `a body may be at most ${BODY_BYTES} bytes` };
  return undefined;
}
