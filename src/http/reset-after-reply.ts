import { constants, type ServerHttp2Stream } from 'node:http2';
import { bounded } from './boundary.ts';

/** Milliseconds between two looks whether the end of a reply is out. */
const LOOK_MS = 5;
/** Milliseconds after which the stream of a client that does not take the reply is given up. */
const LINGER_MS = 1500;

/**
 * Tells the client of a reply that has ended to stop sending its request: RST_STREAM with NO_ERROR, after END_STREAM (RFC 9113 section 8.1).
 * A reset that comes earlier overtakes what Node has not sent yet, and clients lose the reply.
 */
export function resetAfterReply(stream: ServerHttp2Stream): void {
  const onError = () => stream.destroy();
  const reset = (code: number) => bounded(() => stream.close(code), { onError });
  // Node holds back a reset with NO_ERROR until all was sent.
  const giveUp = bounded(
    () => {
      reset(constants.NGHTTP2_CANCEL)();
      // Unread bytes of the request would keep the stream open.
      stream.destroy();
    },
    { onError },
  );
  const limit = setTimeout(giveUp, LINGER_MS).unref();
  stream.once('close', () => clearTimeout(limit));
  const look = bounded(
    () => {
      if (stream.closed || stream.destroyed) return;
      if (stream.state.localClose === 1) reset(constants.NGHTTP2_NO_ERROR)();
      else setTimeout(look, LOOK_MS).unref();
    },
    { onError },
  );
  if (stream.writableFinished) look();
  else stream.once('finish', look);
}
