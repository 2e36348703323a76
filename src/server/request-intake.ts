import type { Http2SecureServer } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { answerToClientError, type EdgeAnswer, writeAnswer, writeRawAnswer } from './edge-answer.ts';
import { type ClientRequest, type ClientResponse, type Exchange, type Exchanges, exchangeOf } from './exchanges.ts';
import { guardRequest } from './request-guard.ts';

/**
 * Takes a request. `expectContinue`: the client waits for `100 Continue` before it sends the body, and nothing was answered yet.
 * A client that stalls is cut; its response emits `timeout` just before.
 */
export type Handler = (req: ClientRequest, res: ClientResponse, expectContinue: boolean) => void;

export interface IntakeOptions {
  exchanges: Exchanges;
  handler: Handler;
  /** Told of each exchange as it begins. */
  onBegin: (exchange: Exchange) => void;
  /** Told of each request that never reaches the handler. */
  onMalformed: () => void;
  /** Told of what a handler throws. */
  onError: (error: unknown) => void;
  /** Milliseconds that a refused connection may take to leave. */
  lingerMs: number;
}

/** Wires what the server emits about requests: the good ones reach the handler, the others are answered here. */
export function takeRequests(server: Http2SecureServer, options: IntakeOptions): void {
  server.on('request', (req, res) => receive(req, res, false, options));
  server.on('checkContinue', (req, res) => receive(req, res, true, options));
  server.on('checkExpectation', (req: ClientRequest, res: ClientResponse) => {
    begin(req, res, options);
    refuse(res, { status: 417, message: 'the only expectation understood is 100-continue' }, options);
  });
  server.on('connect', (_req: ClientRequest, connection: Duplex | ClientResponse) => {
    options.onMalformed();
    const answer = { status: 405, message: 'CONNECT is not supported' };
    if ('writeHead' in connection) writeAnswer(connection, answer);
    else writeRawAnswer(connection, answer, options.lingerMs);
  });
  const refused = new WeakSet<Duplex>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    // A broken parser repeats itself with every byte that follows.
    if (refused.has(socket)) return;
    refused.add(socket);
    refuseUnparsed(error, socket, options);
  });
}

function receive(req: ClientRequest, res: ClientResponse, expectContinue: boolean, options: IntakeOptions): void {
  begin(req, res, options);
  const refusal = guardRequest(req);
  if (refusal) {
    refuse(res, refusal, options);
    return;
  }
  try {
    options.handler(req, res, expectContinue);
  } catch (error) {
    options.onError(error);
    res.destroy();
  }
}

function begin(req: ClientRequest, res: ClientResponse, options: IntakeOptions): void {
  const exchange = exchangeOf(req, res);
  options.exchanges.begin(exchange);
  options.onBegin(exchange);
}

function refuse(res: ClientResponse, answer: EdgeAnswer, options: IntakeOptions): void {
  options.onMalformed();
  writeAnswer(res, answer);
}

function refuseUnparsed(error: NodeJS.ErrnoException, socket: TLSSocket, options: IntakeOptions): void {
  const answer = answerToClientError(error.code);
  if (answer) options.onMalformed();
  // Between earlier requests and the broken one no answer of ours would be in order, unless the broken one is the only one.
  const [first, second] = options.exchanges.on(socket);
  const inOrder = first === undefined || (second === undefined && !first.req.complete && !first.res.headersSent);
  if (!answer || !inOrder || !socket.writable) {
    socket.destroy();
    return;
  }
  writeRawAnswer(socket, answer, options.lingerMs);
}
