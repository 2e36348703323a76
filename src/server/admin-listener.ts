import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { limitConnections } from './connection-limit.ts';
import { type EdgeAnswer, writeEdgeAnswer } from './edge-answer.ts';
import { Exchanges } from './exchanges.ts';
import { receivePlainRequests } from './request-receiver.ts';
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
  limitConnections(server, CONNECTIONS);
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
