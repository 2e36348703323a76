import type { Sink } from '../../splice/chunk-writer.ts';
import type { StreamedBody } from '../../splice/transfer.ts';
import { asUpstreamError, isOwnFault } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { AttemptRecord } from '../request-record.ts';
import { cut, finish, writeHead } from './end-response.ts';
import type { Reply } from './reply.ts';

/**
 * Stage 5: writes an answer to the client, no faster than the client takes it. The listener cuts a client that takes
 * nothing.
 */
export async function relay(exchange: Exchange, reply: Reply): Promise<void> {
  const { relay: notes } = exchange.notes;
  if (reply.upstream !== undefined) notes.upstream = reply.upstream;
  if (exchange.left) throw new ClientGone();
  const withBody = writeHead(exchange, reply.status, merged(reply.headers));
  if (reply.body === undefined || !withBody) {
    discard(reply);
    finish(exchange);
  } else if (Buffer.isBuffer(reply.body)) {
    finish(exchange, reply.body);
  } else {
    await relayStream(exchange, reply.body, reply.upstream);
  }
}

/** Gives up a body that is not relayed. */
export function discard({ body }: Reply): void {
  if (body !== undefined && !Buffer.isBuffer(body)) body.discard();
}

/** One field for each name. */
function merged(headers: Reply['headers']): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const before = fields[name];
    fields[name] = before === undefined ? value : [before, value].flat();
  }
  return fields;
}

async function relayStream(exchange: Exchange, body: StreamedBody, upstream: string | undefined): Promise<void> {
  try {
    await body.run(clientSink(exchange));
    finish(exchange);
  } catch (error) {
    // settle reports a fault of the edge itself, and cuts the reply.
    if (error instanceof ClientGone || isOwnFault(error)) throw error;
    cut(exchange);
    noteBroken(exchange, error, {
      attempts: exchange.attempts,
      upstream: exchange.splices.at(-1)?.from ?? upstream,
    });
  }
}

/** Notes a body that broke off, unless the read that failed was noted before. */
export function noteBroken(
  { notes: { relay: notes } }: Exchange,
  error: unknown,
  { attempts, upstream }: { attempts: readonly AttemptRecord[]; upstream: string | undefined },
): void {
  if (notes.isCut) return;
  const { reason, message: detail } = asUpstreamError(error);
  // The attempt that brought the body so far has failed.
  const attempt = attempts.findLast(({ outcome }) => outcome === 'served');
  if (attempt) Object.assign(attempt, { outcome: 'failed', reason, detail });
  notes.isCut = true;
  notes.detail = `${upstream} failed in the middle of the body (${reason})`;
}

/** The client's response as the sink of a body. The listener cuts a client that takes nothing. */
function clientSink(exchange: Exchange): Sink {
  const { response, gone: closed } = exchange;
  const write = (bytes: Buffer, done: () => void) => {
    exchange.bytesOut += bytes.length;
    return response.write(bytes, done);
  };
  const sink: Sink = { closed, onDrain: () => undefined, write };
  response.on('drain', () => sink.onDrain());
  return sink;
}
