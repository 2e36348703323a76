import { once } from 'node:events';
import http2 from 'node:http2';
import type https from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import type { ClientListener, ListenerCounts } from '../../src/server/client-listener.ts';
import type { ClientRequest } from '../../src/server/exchanges.ts';
import type { Handler } from '../../src/server/request-receiver.ts';
import { until } from '../helpers/until.ts';
import { type Harness, request1, startListener } from './listener-harness.ts';
import { connectProxied } from './proxied-connection.ts';
import { addresses, binaryHeader, tlv } from './proxy-bytes.ts';

export const V1 = 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n';
export const V6 = binaryHeader({
  family: 0x21,
  payload: addresses('2001:db8:0:0:0:0:0:7', 'fd00:0:0:0:0:0:0:1', 4711, 443),
});
const LONG = binaryHeader({
  payload: Buffer.concat([addresses('203.0.113.9', '10.0.0.1', 4711, 443), tlv(4, Buffer.alloc(3000))]),
});

export const HEADERS: [name: string, header: Buffer | string, client: string][] = [
  ['v1, IPv4', V1, '203.0.113.9 4711 IPv4'],
  ['v1, IPv6', 'PROXY TCP6 2001:DB8::7 fd00::1 4711 443\r\n', '2001:db8::7 4711 IPv6'],
  ['v1, UNKNOWN', 'PROXY UNKNOWN\r\n', 'undefined undefined undefined'],
  ['v2, IPv4', binaryHeader(), '203.0.113.9 4711 IPv4'],
  ['v2, IPv6', V6, '2001:db8::7 4711 IPv6'],
  ['v2, long', LONG, '203.0.113.9 4711 IPv4'],
  ['v2, LOCAL', binaryHeader({ first: 0x20, family: 0, payload: Buffer.alloc(0) }), 'undefined undefined undefined'],
  ['v2, unix', binaryHeader({ family: 0x31, payload: Buffer.alloc(216) }), 'undefined undefined undefined'],
];

function whoIs({ socket }: ClientRequest): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.remoteFamily}`;
}

export interface Balanced extends Harness {
  /** Whether connections are taken for a load balancer's. */
  trust: { balancer: boolean };
  /** What the operator is told. */
  told: string[];
  counted: (name: keyof ListenerCounts, count?: number) => Promise<unknown>;
}

/** A listener that says to each client who it takes it for, behind a load balancer at 127.0.0.1. */
export async function start(t: Test, options: Parameters<typeof startListener>[1] = {}): Promise<Balanced> {
  const trust = { balancer: true };
  const told: string[] = [];
  const handler: Handler = (req, res) => res.end(whoIs(req));
  const harness = await startListener(t, {
    handler,
    proxies: { isProxy: () => trust.balancer, onRefused: (refusal, address) => told.push(`${refusal} ${address}`) },
    ...options,
  });
  const { counts } = harness.listener;
  const counted = (name: keyof ListenerCounts, count = 1) =>
    until(() => counts[name] === count, { what: () => `${name} of ${JSON.stringify(counts)} to be ${count}` });
  return { ...harness, trust, told, counted };
}

/** What the listener counted. */
export function odd(counts: ListenerCounts): Partial<ListenerCounts> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

export function connections(listener: ClientListener, count: number): Promise<unknown> {
  return until(() => listener.load().connections === count, { what: () => `${count} connections` });
}

/** A request of a client behind a load balancer. */
export async function ask1(
  t: Test,
  port: number,
  header: Buffer | string,
  { inBytes = false, servername = 'edge.test' } = {},
) {
  const socket = await connectProxied(t, port, header, inBytes);
  const secure = connectTls({ socket, servername, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  const { body } = await request1(port, over(secure));
  return { body, certificate: secure.getPeerCertificate().subject?.CN, alpn: secure.alpnProtocol };
}

/** Options of a request on a connection that is there. */
export function over(socket: TLSSocket): https.RequestOptions {
  return { agent: undefined, createConnection: () => socket };
}

export async function session2(t: Test, port: number, header: Buffer | string, inBytes?: boolean) {
  const socket = await connectProxied(t, port, header, inBytes);
  const options = { socket, servername: 'edge.test', rejectUnauthorized: false, ALPNProtocols: ['h2'] };
  const session = http2.connect(`https://127.0.0.1:${port}`, { createConnection: () => connectTls(options) });
  session.on('error', () => {});
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}
