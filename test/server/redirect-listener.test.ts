import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import type { ProxyTrust } from '../../src/server/proxy-gate.ts';
import { RedirectListener } from '../../src/server/redirect-listener.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { connectProxied } from './proxied-connection.ts';

async function start(t: Test, httpsPort = 443, proxies?: ProxyTrust) {
  const { port } = await listen(t, httpsPort, proxies);
  return port;
}

async function listen(t: Test, httpsPort: number, proxies?: ProxyTrust) {
  const listener = new RedirectListener({
    address: '127.0.0.1:0',
    hostnames: () => ['cr.Example.io', '::1'],
    httpsPort: () => httpsPort,
    onError: (error) => t.fail(String(error)),
    proxies,
  });
  const { port } = await listener.listen();
  t.teardown(() => listener.close());
  return { listener, port };
}

async function sendText(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let reply = '';
  socket.on('data', (chunk) => {
    reply += chunk;
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return reply;
}

const get = (target: string, host: string) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
const locationOf = (reply: string) => /^location: (.*)\r$/im.exec(reply)?.[1];

t.test('sends configured names to https, as they are configured', async (t) => {
  const port = await start(t);
  const reply = await sendText(port, get('/v2/a/tags/list?n=1', 'CR.example.io:80'));
  t.match(reply, /^HTTP\/1\.1 308 /);
  t.equal(locationOf(reply), 'https://cr.Example.io/v2/a/tags/list?n=1');
  t.equal(locationOf(await sendText(port, get('/', '[::1]:80'))), 'https://[::1]/');
  t.equal(locationOf(await sendText(port, get('//evil.test/', 'cr.example.io'))), 'https://cr.Example.io//evil.test/');
  t.equal(locationOf(await sendText(port, get('http://CR.example.io/x', 'cr.example.io'))), 'https://cr.Example.io/x');
});

t.test('names the port of https where it is not 443', async (t) => {
  const port = await start(t, 8443);
  t.equal(locationOf(await sendText(port, get('/v2/', 'cr.example.io'))), 'https://cr.Example.io:8443/v2/');
});

t.test('answers 421 to other names, 400 to targets that fit no header', async (t) => {
  const port = await start(t);
  for (const host of ['evil.test', 'cr.example.io.evil.test', '', 'cr.example.io@evil.test']) {
    const reply = await sendText(port, get('/', host));
    t.match(reply, /^HTTP\/1\.1 421 [\s\S]*UNSUPPORTED/, host);
    t.equal(locationOf(reply), undefined);
  }
  t.match(await sendText(port, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 421 /, 'no name at all');
  t.match(await sendText(port, get('*', 'cr.example.io')), /^HTTP\/1\.1 400 /);
  t.match(await sendText(port, get('ftp://cr.example.io/', 'cr.example.io')), /^HTTP\/1\.1 400 /);
});

t.test('reads no body', async (t) => {
  const port = await start(t);
  const head = 'PUT /v2/ HTTP/1.1\r\nHost: cr.example.io\r\nContent-Length: 1000000000\r\n\r\n';
  t.match(
    await sendText(port, head),
    /^HTTP\/1\.1 308 /,
    'the answer comes, and the connection ends, before the body does',
  );
});

t.test('bounds headers', async (t) => {
  const port = await start(t);
  t.match(await sendText(port, get(`/${'x'.repeat(9_000)}`, 'cr.example.io')), /^HTTP\/1\.1 431 /);
});

t.test('takes the PROXY headers of load balancers, and needs none', async (t) => {
  const refused: string[] = [];
  let balancer = true;
  const proxies = { isProxy: () => balancer, onRefused: (refusal: string) => refused.push(refusal) };
  const { listener, port } = await listen(t, 443, proxies);
  const header = 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n';
  const request = get('/v2/', 'cr.example.io');
  t.equal(locationOf(await sendText(port, header + request)), 'https://cr.Example.io/v2/');
  t.equal(locationOf(await sendText(port, request)), 'https://cr.Example.io/v2/', 'without one');
  const slow = await connectProxied(t, port, header, true);
  slow.write(request);
  t.match((await slow.toArray()).join(''), /^HTTP\/1\.1 308 /, 'in single bytes');
  t.equal(await sendText(port, 'PROXY TCP4 nonsense\r\n'), '');
  const half = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  half.end('PROXY TCP4 203');
  const ending = performance.now();
  await half.toArray();
  t.ok(performance.now() - ending < timeLimit(5000), 'one that ends in the middle is over');
  balancer = false;
  t.equal(await sendText(port, header + request), '', 'of somebody else');
  t.equal(locationOf(await sendText(port, request)), 'https://cr.Example.io/v2/');
  t.strictSame(refused, ['proxyMalformed', 'proxyMalformed', 'proxyUntrusted']);
  const silent = net.connect(port, '127.0.0.1');
  await once(silent, 'connect');
  const closing = performance.now();
  await listener.close();
  t.ok(performance.now() - closing < timeLimit(5000), 'a close waits for no header');
  if (!silent.closed) await once(silent.resume(), 'close');
});

t.test('challenges of ACME are answered for every host, and nothing else is', async (t) => {
  const listener = new RedirectListener({
    address: '127.0.0.1:0',
    hostnames: () => ['cr.example.io'],
    httpsPort: () => 443,
    challengeAnswer: (token) => (token === 'known' ? 'known.print' : undefined),
    onError: (error) => t.fail(String(error)),
  });
  const { port } = await listener.listen();
  t.teardown(() => listener.close());
  const path = '/.well-known/acme-challenge/';
  for (const host of ['cr.example.io', 'other.test']) {
    const reply = await sendText(port, get(`${path}known`, host));
    t.match(reply, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nknown\.print$/);
  }
  t.match(await sendText(port, get(`${path}unknown`, 'cr.example.io')), /^HTTP\/1\.1 308 /);
  t.match(await sendText(port, get(`${path}known/../x`, 'cr.example.io')), /^HTTP\/1\.1 308 /);
  t.match(await sendText(port, get(`${path}unknown`, 'other.test')), /^HTTP\/1\.1 421 /);
});
