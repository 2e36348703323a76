import type { Http2Session, ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

/** A session whose client is gone, with its connection. */
export interface LostSession {
  session: ServerHttp2Session;
  socket: Socket;
}

/** What the last check saw of a session. Times are those of `performance.now`. */
interface Mark {
  socket: Socket;
  bytesRead: number;
  bytesWritten: number;
  readAt: number;
  writtenAt: number;
  /** A PING was sent since the last byte came. */
  asked: boolean;
  /** Frames waited to be sent. */
  waiting: boolean;
  /** When the session was first seen destroyed. */
  destroyedAt: number | undefined;
}

/** PING, GOAWAY and RST_STREAM together. They also leave for a client that is gone, because the kernel takes them. */
const CONTROL_BYTES = 64;

/**
 * Finds HTTP/2 sessions whose client is gone without a word, because a cable was pulled or an address moved. No reset and no GOAWAY reaches
 * such a client, and Node closes a connection only when everything that was written has left.
 */
export class SessionWatch {
  readonly #marks = new Map<ServerHttp2Session, Mark>();

  add(session: ServerHttp2Session): void {
    // `session.socket` is a proxy that refuses `destroy`. What its `once` returns is the socket itself.
    const proxy: Socket = session.socket;
    const socket = proxy.once('close', () => this.#marks.delete(session));
    const { bytesRead, bytesWritten } = socket;
    const now = performance.now();
    const rest = { asked: false, waiting: false, destroyedAt: undefined };
    this.#marks.set(session, { socket, bytesRead, bytesWritten, readAt: now, writtenAt: now, ...rest });
  }

  /**
   * The sessions to be ended now.
   * @param idleMs milliseconds for which a client may neither take nor send a byte
   * @param graceMs milliseconds that a destroyed session may take to close its connection
   * @param resetting sessions with a stream that was reset and is not closed: the reset has not left
   */
  lost(idleMs: number, graceMs: number, resetting: ReadonlySet<Http2Session | undefined>): LostSession[] {
    const now = performance.now();
    return [...this.#marks]
      .filter(([session, mark]) =>
        session.destroyed
          ? isOverdue(mark, now, graceMs)
          : isLost({ session, mark, now, idleMs, resets: resetting.has(session) }),
      )
      .map(([session, { socket }]) => ({ session, socket }));
  }
}

function isOverdue(mark: Mark, now: number, graceMs: number): boolean {
  mark.destroyedAt ??= now;
  return now - mark.destroyedAt >= graceMs;
}

interface Check {
  session: ServerHttp2Session;
  mark: Mark;
  now: number;
  idleMs: number;
  /** The reset of a stream has not left. */
  resets: boolean;
}

function isLost({ session, mark, now, idleMs, resets }: Check): boolean {
  const { bytesRead, bytesWritten } = mark.socket;
  const waits = resets || (session.state.outboundQueueSize ?? 0) > 0;
  // The client may still be sending, but it takes nothing: not even a reset.
  const blocked = waits && mark.waiting && bytesWritten === mark.bytesWritten;
  if (bytesRead !== mark.bytesRead) Object.assign(mark, { readAt: now, asked: false });
  if (bytesWritten - mark.bytesWritten > CONTROL_BYTES) mark.writtenAt = now;
  Object.assign(mark, { bytesRead, bytesWritten, waiting: waits });
  if (blocked && now - mark.writtenAt >= idleMs) return true;
  const silentMs = now - Math.max(mark.readAt, mark.writtenAt);
  if (mark.asked) return silentMs >= idleMs;
  if (silentMs >= idleMs / 2 && !session.closed) ask(session, mark);
  return false;
}

/** A client that only waits for its reply answers a PING at once (RFC 9113 section 6.7). */
function ask(session: ServerHttp2Session, mark: Mark): void {
  mark.asked = true;
  session.ping(() => undefined);
}
