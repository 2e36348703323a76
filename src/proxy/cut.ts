import { constants, type Http2ServerResponse } from 'node:http2';
import type { Exchange } from './exchange.ts';

/** How long what is already in the socket's buffers may take to leave after a body was cut. */
const LINGER_MS = 5000;

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
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
