import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import tls from 'node:tls';
import { timeLimit } from '../helpers/time-limit.ts';
import type { Script } from './script.ts';

export interface Ports {
  https: number;
  plain: number;
  admin: number;
  redirect: number;
}

/** Milliseconds for which a client that waits does so for the first byte, if none is sure to come. */
const FIRST_MS = timeLimit(100);
/** Milliseconds without a further byte after which it has its answers. */
const QUIET_MS = timeLimit(25);
/** Milliseconds after which a client that has ended its side gives up the connection. */
const PATIENCE_MS = timeLimit(3000);

/**
 * Says what a script has to say. Resolves when the connection is closed, whoever closed it.
 * @param address of the client, in 127.0.0.0/8
 * @returns the beginning of what came back
 */
export async function play(script: Script, ports: Ports, address: string): Promise<string> {
  const port = ports[script.listener];
  const tcp = { host: '127.0.0.1', port, localAddress: address, noDelay: true };
  const alpn = script.protocol === 'HTTP/2' ? 'h2' : 'http/1.1';
  const socket: Socket =
    script.listener === 'https'
      ? tls.connect({ ...tcp, servername: 'edge.test', rejectUnauthorized: false, ALPNProtocols: [alpn] })
      : connect(tcp);
  let received = '';
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  // A reset is a way to end a connection like any other.
  socket.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const destroyIn = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), ms);
  };
  const wait = () => {
    const firstMs = script.answered ? PATIENCE_MS : FIRST_MS;
    const answerMs = received === '' ? firstMs : QUIET_MS;
    destroyIn(script.ending === 'wait' ? answerMs : PATIENCE_MS);
  };
  socket.on('data', (chunk: Buffer) => {
    if (received.length < 4096) received += chunk.toString('latin1');
    if (timer) wait();
  });
  for (const bytes of script.writes) {
    if (socket.destroyed) break;
    socket.write(bytes);
    await setImmediate();
  }
  if (script.ending === 'end') socket.end();
  const sent = () => {
    if (script.ending === 'reset') socket.destroy();
    else wait();
  };
  // The callback of a write comes when the bytes are out, or never will be.
  if (!socket.destroyed && script.ending !== 'end') socket.write('', sent);
  else sent();
  await closed;
  clearTimeout(timer);
  return received;
}
