import type { Socket } from 'node:net';
import { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';

/** How a connection begins. `late`, `closed`: before that was clear; `begun` if there were bytes. */
export type ConnectionStart =
  | Exclude<ProxyHeader, { kind: 'incomplete' }>
  | { kind: 'late'; begun: boolean }
  | { kind: 'closed'; begun: boolean };

/**
 * Reads a header and not what follows it: with `header` and `absent` the rest is back in the socket, which may be handed on at once, to
 * be read through its handle. It is paused until then.
 * @param timeout milliseconds that the whole header may take
 */
export function readProxyHeader(socket: Socket, timeout: number, done: (beginning: ConnectionStart) => void): void {
  // Never more than a header's greatest length and what came in one read with its last byte.
  let received: Buffer = Buffer.alloc(0);
  const settle = (beginning: ConnectionStart) => {
    clearTimeout(timer);
    socket.off('readable', read).off('close', closed).off('end', closed);
    done(beginning);
    // Only now: until somebody else listens, an error would end the process. One that is refused may still have one.
    if (!socket.destroyed) socket.off('error', ignore);
  };
  const read = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const header = parseProxyHeader(received);
    if (header.kind === 'incomplete') return;
    const rest = header.kind === 'header' ? received.subarray(header.length) : received;
    if (header.kind !== 'malformed' && rest.length > 0) socket.unshift(rest);
    settle(header);
  };
  const closed = () => settle({ kind: 'closed', begun: received.length > 0 });
  const timer = setTimeout(() => settle({ kind: 'late', begun: received.length > 0 }), timeout);
  socket.on('error', ignore).on('readable', read).once('close', closed).once('end', closed);
}

/** `close` follows. */
function ignore(): void {}
