import { constants, type Http2ServerResponse } from 'node:http2';
import type { Exchange } from '../exchange.ts';

/** How long a client may go on sending a body that nobody wants, so that it reads the reply instead of a reset. */
const LINGER_MS = 1500;
/** How long what is already in the socket's buffers may take to leave after a body was cut. */
const CUT_MS = 5000;

/** What the head of a reply says when it goes out before all of the request's body came: no other request can follow on the connection. */
export function closingHeaders({ bodyTaken, multiplexed }: Exchange): Record<string, string> {
  return bodyTaken || multiplexed ? {} : { connection: 'close' };
}

/**
 * Ends a reply with the last bytes of its body. What the client still sends is not wanted: over HTTP/2 it is told so once the reply is out
 * (RFC 9113 section 8.1); over HTTP/1.1 it is read for a while, because closing on a client that is sending resets the connection, and
 * the reply with it.
 */
export function finish(exchange: Exchange, last?: Buffer): void {
  const { request, response, multiplexed } = exchange;
  if (exchange.bodyTaken) {
    response.end(last);
  } else if (multiplexed) {
    response.end(last);
    const { stream } = response as unknown as Http2ServerResponse;
    // Not at once: a reset overtakes a head that was not sent yet.
    setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    // What of it has come already keeps the stream open until it is read.
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
 * Ends a reply that has begun so that it cannot pass as whole. HTTP/1.1: what was sent arrives, then a clean FIN short of
 * Content-Length, on which containerd resumes by itself (after a reset it would not); a chunked body stays without its last chunk.
 * HTTP/2: RST_STREAM with an error, because a plain destroy may look like an end.
 */
export function cut({ response, multiplexed }: Exchange): void {
  if (multiplexed) {
    (response as unknown as Http2ServerResponse).stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  const { socket } = response;
  if (!socket) return;
  socket.end();
  setTimeout(() => socket.destroy(), CUT_MS).unref();
}
