import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { bounded } from '../http/boundary.ts';
import { limitConnections } from './connection-limit.ts';
import { type EdgeAnswer, failExchange, writeEdgeAnswer } from './edge-answer.ts';
import { cutStalledClients } from './stall-watch.ts';

const HEADER_BYTES = 8_192;
const BODY_BYTES = 65_536;
const CONNECTIONS = 256;
/** Milliseconds. */
const CLIENT_IDLE = { idle: 60_000, sweep: 5_000 };

/**
 * A server of plain HTTP for the operator: status, metrics, health.
 * @param handler if it throws or its promise rejects, its exchange fails
 * @param onError called with what the handler threw
 */
export function createAdminServer(
  handler: (req: IncomingMessage, res: ServerResponse) => unknown,
  onError: (error: unknown) => void,
  { idle, sweep } = CLIENT_IDLE,
): http.Server {
  const options = {
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    connectionsCheckingInterval: 2_500,
    keepAliveTimeout: 30_000,
    maxHeaderSize: HEADER_BYTES,
    insecureHTTPParser: false,
  };
  const receive = (req: IncomingMessage, res: ServerResponse) => {
    const refusal = refusalOf(req);
    return refusal ? writeEdgeAnswer(res, refusal) : handler(req, res);
  };
  const server = http.createServer(options, bounded(receive, { end: (_req, res) => failExchange(res), onError }));
  limitConnections(server, CONNECTIONS);
  cutStalledClients(server, idle, sweep);
  return server;
}

function refusalOf({ headers, headersDistinct }: IncomingMessage): EdgeAnswer | undefined {
  // Node takes the first; a proxy before this listener may have looked at the other.
  if ((headersDistinct.host?.length ?? 0) > 1) return { status: 400, message: 'more than one host header' };
  // Bodies here are small JSON that names its length; without one their size is known too late.
  if (headers['transfer-encoding'] !== undefined) return { status: 411, message: 'a body needs a Content-Length' };
  if (Number(headers['content-length'] ?? 0) > BODY_BYTES)
    return { status: 413, message: `a body may be at most ${BODY_BYTES} bytes` };
  return undefined;
}
