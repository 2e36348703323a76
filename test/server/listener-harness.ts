import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import type { Test } from 'tap';
import { type CertificatePair, Certificates } from '../../src/server/certificates.ts';
import { ClientListener, type ClientListenerOptions } from '../../src/server/client-listener.ts';
import type { ClientResponse } from '../../src/server/exchanges.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { makeCertificate } from './make-certificate.ts';

export const LIMITS = { connections: 100, headerBytes: 16_384, clientIdle: 60_000, keepAlive: 75_000 };

export interface Harness {
  listener: ClientListener;
  certificates: Certificates;
  port: number;
  /** What handlers threw. */
  errors: unknown[];
}

export type HarnessOptions = Partial<Omit<ClientListenerOptions, 'certificates'>> & {
  certificates?: CertificatePair[];
  /** HTTP without TLS. */
  plain?: boolean;
};

/** A listener on a free port of 127.0.0.1, gone at the end of the test. Its `timings` are those of a quiet machine. */
export async function startListener(
  t: Test,
  { certificates: pairs, plain = false, ...options }: HarnessOptions = {},
): Promise<Harness> {
  const errors: unknown[] = [];
  const certificates = new Certificates(pairs ?? [await makeCertificate(['edge.test'])]);
  const listener = new ClientListener({
    address: '127.0.0.1:0',
    certificates: plain ? undefined : certificates,
    limits: LIMITS,
    handler: (_req, res) => res.end('ok'),
    onError: (error) => errors.push(error),
    ...options,
    timings: Object.fromEntries(
      Object.entries({ grace: 100, ...options.timings }).map(([name, ms]) => [name, timeLimit(ms)]),
    ),
  });
  const { port } = await listener.listen();
  t.teardown(() => listener.drain({ timeout: 0 }));
  return { listener, certificates, port, errors };
}

export interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** One HTTP/1.1 request by Node's own client. */
export async function request1(port: number, options: https.RequestOptions = {}, body?: string): Promise<Reply> {
  const req = https.request({
    port,
    host: '127.0.0.1',
    servername: 'edge.test',
    rejectUnauthorized: false,
    agent: false,
    ...options,
  });
  req.end(body);
  const [res] = await once(req, 'response');
  const chunks = await res.toArray();
  return { status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() };
}

/** An HTTP/2 session by Node's own client. Errors of its own are not the test's concern. */
export async function connect2(
  t: Test,
  port: number,
  options: http2.SecureClientSessionOptions = {},
): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`https://127.0.0.1:${port}`, {
    servername: 'edge.test',
    rejectUnauthorized: false,
    ...options,
  });
  session.on('error', () => {});
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}

/** One request on a session. */
export async function request2(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders = {},
  body?: string,
): Promise<Reply> {
  const stream = session.request({ ':authority': 'edge.test', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [replied] = await once(stream, 'response');
  const chunks = await stream.toArray();
  return { status: replied[':status'], headers: replied, body: Buffer.concat(chunks).toString() };
}

export interface RawClient {
  socket: tls.TLSSocket;
  /** Everything received so far. */
  received: () => string;
  /** Resolves with everything received once the server has closed the connection. */
  closed: Promise<string>;
}

/** A TLS connection that says exactly what it is told to. */
export async function connectRaw(t: Test, port: number, options: tls.ConnectionOptions = {}): Promise<RawClient> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'edge.test',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    ...options,
  });
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = closing(socket).then(() => text);
  await once(socket, 'secureConnect');
  return { socket, received: () => text, closed };
}

/** Says one thing and returns all that came back until the server closed. */
export async function sendRaw(t: Test, port: number, text: string): Promise<string> {
  const client = await connectRaw(t, port);
  client.socket.write(text, 'latin1');
  return client.closed;
}

/** Resolves when a session, connection or stream is closed, whatever error came before. */
export function closing(emitter: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    emitter.once('close', resolve);
  });
}

/** Sends a reply far larger than what the kernel and both ends buffer. */
export function endless(res: ClientResponse): void {
  const bytes = Buffer.alloc(65_536);
  function* endlessly() {
    for (;;) yield bytes;
  }
  Readable.from(endlessly()).pipe(res as ServerResponse);
}
