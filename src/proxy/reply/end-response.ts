import { constants, type Http2ServerResponse } from 'node:http2';
import type { Exchange } from '../exchange.ts';

/** How long a client may go on sending a body that nobody wants, so that it reads the reply instead of a reset. */
const LINGER_MS = 1500;

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
