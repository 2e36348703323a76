import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import https from 'node:https';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.ts';
import { startHaproxy } from '../helpers/haproxy.ts';
import type { Image } from '../helpers/image.ts';
import { sha256 } from '../helpers/lab-site.ts';
import { SITE_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';
import { connectPlain, ProxiedConnection } from '../server/proxied-connection.ts';

const ACCEPT = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json';
const MANIFEST = '/v2/library/app/manifests/v1';
const ALICE = { name: 'alice', password: 'correct horse' };
/** This address may pull without credentials. */
const INSIDE = '127.0.0.2';
const OUTSIDE = '127.0.0.3';
const BALANCER = '127.0.0.9';

/** One route, open to INSIDE and ::1, behind a load balancer that sends PROXY headers. */
async function start(t: Test): Promise<{ site: Site; image: Image }> {
  const folder = temporaryFolder(t);
  const htpasswdFile = join(folder, 'users');
  await writeFile(htpasswdFile, `${ALICE.name}:${await hashPassword(ALICE.password)}\n`);
  await writeFile(join(folder, 'edge.key'), 'a secret of the edge that is long enough for this test');
  const site = await startSite(t, {
    listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0', proxyProtocol: true },
    trustedProxies: [BALANCER],
    keyFile: join(folder, 'edge.key'),
    auth: { mode: 'htpasswd', htpasswdFile, anonymous: [INSIDE, '::1'], access: { '*': ['library/** pull'] } },
    routes: [{ prefix: 'library/', anonymous: true, push: 'harbor', pull: [{ upstream: 'harbor' }] }],
  });
  return { site, image: await site.seed('app:v1', { layers: [3_000_000] }) };
}

interface Asked {
  port: number;
  /** Address of the client. */
  from: string;
  path?: string;
  headers?: Record<string, string>;
  /** What the client says before its first byte of TLS. */
  before?: string;
}

async function ask(site: Site, { port, from, path = MANIFEST, headers = {}, before }: Asked) {
  const host = from.includes(':') ? '::1' : '127.0.0.1';
  const options = { ca: site.edge.certificate.authority, servername: 'localhost', host, port, localAddress: from };
  const plain = before === undefined ? undefined : await connectPlain(t, port, from);
  const socket = plain && new ProxiedConnection(plain, Buffer.from(before ?? '', 'latin1'), false);
  const agent = socket ? { createConnection: () => connectTls({ ...options, socket }) } : { agent: false };
  const request = https.request({
    ...options,
    ...agent,
    path,
    headers: { host: 'localhost', accept: ACCEPT, ...headers },
  });
  request.end();
  const [response] = await once(request, 'response');
  return { status: response.statusCode, body: Buffer.concat(await response.toArray()) };
}

/** Of the manifest, over HTTP/2. */
async function status2(t: Test, site: Site, port: number, localAddress: string): Promise<number | undefined> {
  const options = { ca: site.edge.certificate.authority, servername: 'localhost', ALPNProtocols: ['h2'] };
  const socket = connectTls({ ...options, socket: await connectPlain(t, port, localAddress) });
  const session = http2.connect(`https://localhost:${port}`, { createConnection: () => socket });
  t.teardown(() => session.destroy());
  const [headers] = await once(session.request({ ':path': MANIFEST, accept: ACCEPT }), 'response');
  return headers[':status'];
}

async function events(site: Site): Promise<Record<string, number>> {
  const text = await (await fetch(`${site.edge.adminUrl}/metrics`)).text();
  const found = text.matchAll(/^breakwater_listener_events_total\{event="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, event, count]) => [event, Number(count)]));
}

const QUIET = { proxyMissing: 0, proxyMalformed: 0, proxyLate: 0, proxyUntrusted: 0, tlsErrors: 0 };
const header = (address: string) => `PROXY TCP4 ${address} 127.0.0.1 4711 443\r\n`;
const skip = missing(...SITE_TOOLS, 'haproxy');

for (const kind of ['send-proxy', 'send-proxy-v2']) {
  t.test(`clients behind HAProxy with ${kind}`, { skip }, async (t) => {
    const { site, image } = await start(t);
    const haproxy = await startHaproxy(t, { edge: site.edge.address, header: kind, source: BALANCER });
    await haproxy.waitFor('UP L7OK');
    const { port } = haproxy;
    t.equal((await ask(site, { port, from: INSIDE })).status, 200, 'a network without credentials');
    t.equal((await ask(site, { port, from: '::1' })).status, 200, 'over IPv6');
    t.equal((await ask(site, { port, from: OUTSIDE })).status, 401, 'any other network');
    for (const client of [INSIDE, OUTSIDE, '::1']) await site.edge.waitForLog(new RegExp(`"client":"${client}"`));

    for (const { digest } of image.blobs) {
      const { body } = await ask(site, { port, from: INSIDE, path: `/v2/library/app/blobs/${digest}` });
      t.equal(sha256(body), digest, 'bodies come through');
    }
    t.equal(await status2(t, site, port, INSIDE), 200, 'over HTTP/2');
    t.equal(await status2(t, site, port, OUTSIDE), 401);

    const skopeo = new Skopeo(t, site.edge.certificate.authorityFolder);
    skopeo.as(`127.0.0.1:${port}`, ALICE);
    t.equal(await skopeo.pull(`127.0.0.1:${port}/library/app:v1`), image.digest, 'skopeo, logged in');
    t.match(await events(site), QUIET, "no listener event was counted, not even for the load balancer's checks");
  });
}

t.test('a client cannot claim the address of another client', { skip }, async (t) => {
  const { site } = await start(t);
  const own = Number(site.edge.address.split(':')[1]);
  const haproxy = await startHaproxy(t, { edge: site.edge.address, header: 'send-proxy-v2', source: BALANCER });
  const { port } = haproxy;
  const forwarded = { 'x-forwarded-for': INSIDE };
  t.equal((await ask(site, { port, from: OUTSIDE, headers: forwarded })).status, 401, 'by X-Forwarded-For');
  t.equal((await ask(site, { port: own, from: OUTSIDE, headers: forwarded })).status, 401, 'nor past it');
  await t.rejects(ask(site, { port, from: OUTSIDE, before: header(INSIDE) }), 'by a header of its own');
  // Counted when the edge sees it, which the client does not wait for.
  await until(async () => (await events(site)).tlsErrors === 1, { what: () => 'an error of TLS' });
  t.match(await events(site), { ...QUIET, tlsErrors: 1 }, 'which is not even looked at');
  await t.rejects(ask(site, { port: own, from: OUTSIDE, before: header(INSIDE) }), 'by one past the load balancer');
  await until(async () => (await events(site)).proxyUntrusted === 1, { what: () => 'an untrusted header' });
  t.match(await events(site), { ...QUIET, tlsErrors: 1, proxyUntrusted: 1 });
  t.equal((await ask(site, { port: own, from: INSIDE })).status, 200, 'a direct connection counts by its own address');
  t.equal((await ask(site, { port: own, from: OUTSIDE })).status, 401);
  await t.rejects(ask(site, { port: own, from: BALANCER }), 'the load balancer must send a header');
  await site.edge.waitForLog(/"address":"127\.0\.0\.3"[^\n]*not in trustedProxies/);
});

t.test('wrong guesses behind a load balancer do not delay other clients', { skip }, async (t) => {
  const { site } = await start(t);
  const { port } = await startHaproxy(t, { edge: site.edge.address, header: 'send-proxy', source: BALANCER });
  const login = (from: string, user: string) => {
    const authorization = `Basic ${Buffer.from(`${user}:wrong`).toString('base64')}`;
    return ask(site, { port, from, path: '/auth/token', headers: { authorization } });
  };
  // Together, because the edge forgives one failure in six seconds, and each guess costs it a hash.
  const guesses = await Promise.all(Array.from({ length: 20 }, (_, guess) => login(OUTSIDE, `user${guess}`)));
  t.ok(guesses.some(({ status }) => status === 401));
  t.equal((await login(OUTSIDE, 'another')).status, 429, 'the address of the guesses has to wait');
  t.equal((await login('127.0.0.4', 'bob')).status, 401, 'another address does not');
});

t.test('a load balancer that sends no header is reported, and its health checks fail', { skip }, async (t) => {
  const { site } = await start(t);
  const haproxy = await startHaproxy(t, { edge: site.edge.address, header: '', source: BALANCER });
  await haproxy.waitFor('DOWN L6RSP');
  t.ok(((await events(site)).proxyMissing ?? 0) > 0);
  await site.edge.waitForLog(/"address":"127\.0\.0\.9"[^\n]*without a PROXY header/);
});
