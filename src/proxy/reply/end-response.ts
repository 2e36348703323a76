import { constants } from 'node:http2';
import { resetAfterReply } from '../../http/reset-after-reply.ts';
import { destroyReply, streamOf, writeHead as writeAnswerHead } from '../../http/write-answer.ts';
import type { Exchange } from '../exchange.ts';

/** Milliseconds that a client may go on sending a body that is not read, so that it gets the reply and not a reset. */
const LINGER_MS = 1500;
/** Milliseconds for the bytes in the socket's buffers to leave after a body was cut. */
const CUT_MS = 5000;

/** No browser guesses what a blob is: one that looks like a page would be run under the edge's name. */
const UNGUESSED = { 'x-content-type-options': 'nosniff' };

/**
 * Writes the head of a reply. If the reply goes out before the whole body of the request came, no other request can
 * follow on that connection.
 * @param reason is added to the status line
 * @returns whether a body may follow
 */
export function writeHead(
  exchange: Exchange,
  status: number,
  headers: Record<string, string | string[]>,
  reason?: string,
): boolean {
  const { bodyTaken, multiplexed, response } = exchange;
  exchange.firstByteMs ??= exchange.elapsed();
  const closing = bodyTaken || multiplexed ? {} : { connection: 'close' };
  const isPage = exchange.notes.parse.kind === 'passthrough';
  const { namespace } = exchange;
  const own = {
    ...(isPage ? {} : UNGUESSED),
    // distribution-spec, "Registry Proxying".
    ...(namespace === undefined ? {} : { 'oci-namespace': namespace }),
    'x-request-id': exchange.id,
    ...closing,
  };
  const { vary, ...cors } = isPage ? {} : exchange.cors;
  const varies = vary === undefined ? {} : { vary: [headers.vary ?? [], vary].flat().join(', ') };
  return writeAnswerHead(response, { status, headers: { ...headers, ...own, ...cors, ...varies }, reason });
}

/**
 * Ends a reply with the last bytes of its body. The client may still be sending its own. Over HTTP/2 it is told to
 * stop when the reply is out (RFC 9113 section 8.1). Over HTTP/1.1 its body is read for a while, because closing the
 * connection would reset it, and the client would lose the reply.
 */
export function finish(exchange: Exchange, last?: Buffer): void {
  const { request, response } = exchange;
  const stream = streamOf(response);
  exchange.bytesOut += last?.length ?? 0;
  if (exchange.bodyTaken) {
    response.end(last);
  } else if (stream) {
    response.end(last);
    resetAfterReply(stream);
    // Bytes of the body that have come keep the stream open until they are read.
    request.unpipe();
    request.resume();
  } else if (exchange.expectsContinue && !exchange.continued) {
    response.end(last);
  } else {
    if (last) response.write(last);
    const end = () => {
      clearTimeout(timer);
      request.off('end', end);
      response.end();
    };
    const timer = setTimeout(end, LINGER_MS);
    request.once('end', end);
    request.unpipe();
    request.resume();
  }
}

/**
 * Cuts a reply so that it cannot pass as whole. Over HTTP/1.1 the bytes that were sent arrive, then a clean FIN short
 * of Content-Length: containerd resumes after it, but not after a reset. A chunked body stays without its last chunk.
 * Over HTTP/2 it is RST_STREAM with an error, because a plain destroy may look like an end.
 */
export function cut({ response }: Exchange): void {
  const stream = streamOf(response);
  if (stream) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  const { socket } = response;
  if (!socket) {
    destroyReply(response);
    return;
  }
  socket.end();
  setTimeout(() => socket.destroy(), CUT_MS).unref();
}
