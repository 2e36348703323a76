import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { inBackground } from '../http/background.ts';

/** Bursts and rates allowed to an HTTP/2 session. A client that cancels a parallel pull stays far below. */
export const FLOOD_BOUNDS = {
  /** Streams that end in an error: at once, and then each second. Covers CVE-2023-44487 (rapid reset) and its reverse. */
  resets: { burst: 256, perSecond: 20 },
  /** Frames that cost the sender nothing but need an answer: SETTINGS and PING. */
  control: { burst: 1000, perSecond: 50 },
};

/** Receive window of a whole session in bytes: four streams at full window. It bounds the memory of a session. */
const SESSION_WINDOW = 4 * 1_048_576;

/**
 * Ends HTTP/2 sessions that flood or idle. `SessionWatch` closes their connections if the client does not.
 * @param idleMs milliseconds after which a session without streams is closed
 * @param onFlood called once for each session
 */
export function guardSession(session: ServerHttp2Session, idleMs: number, onFlood: () => void): void {
  session.setLocalWindowSize(SESSION_WINDOW);
  let flooding = false;
  const spend = (tryTake: () => boolean) => {
    if (flooding || tryTake()) return;
    flooding = true;
    onFlood();
    session.destroy(undefined, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  const resets = tokenBucket(FLOOD_BOUNDS.resets);
  const control = tokenBucket(FLOOD_BOUNDS.control);
  session.on('remoteSettings', () => spend(control));
  session.on('ping', () => spend(control));

  let streams = 0;
  let idle = idleTimer(session, idleMs);
  session.on('stream', (stream: ServerHttp2Stream) => {
    streams += 1;
    clearTimeout(idle);
    stream.once('close', () => {
      streams -= 1;
      if (stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR) spend(resets);
      if (streams === 0 && !session.destroyed) idle = idleTimer(session, idleMs);
    });
  });
  session.once('close', () => clearTimeout(idle));
}

/** Only streams keep a session open, not pings. */
function idleTimer(session: ServerHttp2Session, idleMs: number): NodeJS.Timeout {
  return setTimeout(
    inBackground('clients', () => session.close()),
    idleMs,
  ).unref();
}

/** A token bucket. @returns takes a token; false: the bucket is empty */
function tokenBucket({ burst, perSecond }: { burst: number; perSecond: number }): () => boolean {
  let left = burst;
  let at = performance.now();
  return () => {
    const now = performance.now();
    left = Math.min(burst, left + (Math.max(0, now - at) * perSecond) / 1000) - 1;
    at = now;
    return left >= 0;
  };
}
