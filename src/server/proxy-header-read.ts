import type { Socket } from 'node:net';
import { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';

/** The start of a connection. `late` and `closed`: the header was not complete; `begun`: some bytes came. */
export type ConnectionStart =
  | Exclude<ProxyHeader, { kind: 'incomplete' }>
  | { kind: 'late'; begun: boolean }
  | { kind: 'closed'; begun: boolean };

/**
 * Reads a header and nothing after it. With `header` and `absent` the remaining bytes are back in the socket, which is paused and can be
 * handed on.
 * @param timeout milliseconds for the whole header
 */
export function readProxyHeader(socket: Socket, timeout: number, done: (beginning: ConnectionStart) => void): void {
  // At most the longest header and the last read.
  let received: Buffer = Buffer.alloc(0);
  const settle = (beginning: ConnectionStart) => {
    clearTimeout(timer);
    socket.off('readable', read).off('close', closed).off('end', closed);
    done(beginning);
    // The listener stays until now, because an unhandled error would end the process. A refused socket keeps it.
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

/** A `close` event follows. */
function ignore(): void {}
