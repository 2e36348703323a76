import type { Readable } from 'node:stream';
import { asUpstreamError, type UpstreamError } from '../upstream/upstream-error.ts';
import { cut } from './cut.ts';
import { ClientGone, type Exchange } from './exchange.ts';
import { closingHeaders, finish } from './finish.ts';
import type { BodyStream, Reply } from './reply.ts';

/** Statuses that never have a body (RFC 9110 sections 15.3.5 and 15.4.5): Node throws at any attempt to write one, even of no bytes. */
const BODILESS = new Set([204, 304]);

/** Stage 5: writes an answer to the client, no faster than the client takes it. One that takes nothing is the listener's to cut. */
export async function relay(exchange: Exchange, reply: Reply): Promise<void> {
  if (reply.upstream !== undefined) exchange.notes.upstream = reply.upstream;
  if (exchange.gone.aborted) {
    discard(reply);
    throw new ClientGone();
  }
  try {
    writeHead(exchange, reply);
  } catch (error) {
    discard(reply);
    throw error;
  }
  if (reply.body === undefined || exchange.method === 'HEAD' || BODILESS.has(reply.status)) {
    discard(reply);
    finish(exchange);
  } else if (Buffer.isBuffer(reply.body)) {
    exchange.bytesOut += reply.body.length;
    finish(exchange, reply.body);
  } else {
    await relayStream(exchange, reply.body);
  }
}

function discard({ body }: Reply): void {
  if (body === undefined || Buffer.isBuffer(body)) return;
  drop(body.rest);
  body.lease.ended('neutral');
}

/** A body that is destroyed before its end says so in an `error`, which would end the process if nobody listened. */
function drop(body: Readable): void {
  body.on('error', () => undefined);
  body.destroy();
}

function writeHead(exchange: Exchange, { status, headers }: Reply): void {
  const { response } = exchange;
  const merged: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const before = merged[name];
    merged[name] = before === undefined ? value : [before, value].flat();
  }
  merged['x-request-id'] = exchange.id;
  exchange.noteFirstByte();
  response.writeHead(status, { ...merged, ...closingHeaders(exchange) });
}

async function relayStream(exchange: Exchange, body: BodyStream): Promise<void> {
  try {
    await pump(exchange, body);
    body.lease.ended('good');
    finish(exchange);
  } catch (error) {
    drop(body.rest);
    body.lease.ended(error instanceof ClientGone ? 'neutral' : 'bad');
    if (error instanceof ClientGone) throw error;
    cut(exchange);
    const { reason, message } = asUpstreamError(error);
    const attempt = exchange.attempts.at(-1);
    if (attempt) Object.assign(attempt, { outcome: 'failed', reason, detail: message });
    exchange.notes.outcome = 'cut';
    exchange.notes.detail = `${body.upstream} failed in the middle of the body (${reason})`;
  }
}

/** Copies the body; the upstream's clock runs only while it is waited for. */
function pump(exchange: Exchange, { first, rest, stallMs }: BodyStream): Promise<void> {
  const { response, gone } = exchange;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      rest.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      response.off('drain', onDrain);
      gone.removeEventListener('abort', onGone);
      settle();
    };
    const onData = (chunk: Buffer) => {
      exchange.bytesOut += chunk.length;
      if (response.write(chunk)) timer?.refresh();
      else waitForClient();
    };
    const onDrain = () => waitForUpstream();
    const onEnd = () => finish(resolve);
    const onError = (error: unknown) => finish(() => reject(error));
    const onClose = () => finish(() => reject(shortBody(rest)));
    const onGone = () => finish(() => reject(new ClientGone()));
    const waitForClient = () => {
      rest.pause();
      clearTimeout(timer);
    };
    const waitForUpstream = () => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(() => reject(stalled(stallMs))), stallMs);
      rest.resume();
    };
    if (gone.aborted) return finish(() => reject(new ClientGone()));
    gone.addEventListener('abort', onGone, { once: true });
    response.on('drain', onDrain);
    if (rest.errored) return finish(() => reject(rest.errored));
    rest.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
    const roomLeft = first === null || write(exchange, first);
    if (rest.readableEnded) return finish(resolve);
    if (rest.destroyed) return finish(() => reject(shortBody(rest)));
    if (roomLeft) waitForUpstream();
    else waitForClient();
  });
}

function write(exchange: Exchange, chunk: Buffer): boolean {
  exchange.bytesOut += chunk.length;
  return exchange.response.write(chunk);
}

function stalled(stallMs: number): UpstreamError {
  return asUpstreamError(Object.assign(new Error(`no byte for ${stallMs} ms`), { code: 'UND_ERR_BODY_TIMEOUT' }));
}

function shortBody(body: Readable): unknown {
  return body.errored ?? new Error('other side closed in the middle of the body');
}
