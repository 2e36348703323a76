import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import { connect as connectTls } from 'node:tls';
import bcrypt from 'bcrypt';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { proxyTrustOf } from '../../src/app/proxy-trust.ts';
import { NetworkSet } from '../../src/config/network.ts';
import { HOSTNAME } from '../helpers/edge-in-process.ts';
import { type LabSite, startLabSite } from '../helpers/lab-site.ts';
import { connectProxied } from '../server/proxied-connection.ts';
import { binaryHeader } from '../server/proxy-bytes.ts';

const MANIFEST = '/v2/library/app/manifests/1';
const LISTEN = { https: '127.0.0.1:0', admin: '127.0.0.1:0', proxyProtocol: true };

/** 10.0.0.0/8 pulls without credentials; the load balancer is at 127.0.0.1, one of HTTP before it at 192.0.2.8. */
async function start(t: Test): Promise<LabSite> {
  const auth = { mode: 'htpasswd', htpasswdFile: 'users', anonymous: ['10.0.0.0/8', '127.0.0.0/30', 'fd00::/8'] };
  return startLabSite(t, {
    route: { anonymous: true },
    config: { listen: LISTEN, trustedProxies: ['127.0.0.1', '192.0.2.8'], auth },
    settings: { users: { ann: await bcrypt.hash('secret', 4) } },
  });
}

const header = (address: string) => `PROXY TCP${address.includes(':') ? 6 : 4} ${address} ${address} 4711 443\r\n`;
const LOCAL = binaryHeader({ first: 0x20, family: 0, payload: Buffer.alloc(0) });
const UNIX = binaryHeader({ family: 0x31, payload: Buffer.alloc(216) });

const TABLE: [name: string, header: string | Buffer, forwarded: string | undefined, status: number][] = [
  ['a client inside', header('10.1.2.3'), undefined, 200],
  ['a client inside, over IPv6', header('fd00::7'), undefined, 200],
  ['IPv4 in IPv6', header('::ffff:10.1.2.3'), undefined, 200],
  ['a client outside', header('203.0.113.9'), undefined, 401],
  ['a client outside that says to be inside', header('203.0.113.9'), '10.1.2.3', 401],
  ['a client inside that says to be outside', header('10.1.2.3'), '203.0.113.9', 200],
  ['a client inside behind both load balancers', header('192.0.2.8'), '10.1.2.3', 200],
  ['a client outside behind both', header('192.0.2.8'), '203.0.113.9', 401],
  ['a client outside behind both that says to be inside', header('192.0.2.8'), '10.1.2.3, 203.0.113.9', 401],
  ['nobody known, though the load balancer is inside', 'PROXY UNKNOWN\r\n', undefined, 401],
  ['nobody known that says to be inside', 'PROXY UNKNOWN\r\n', '10.1.2.3', 401],
  ['nobody known that says so in the header', 'PROXY UNKNOWN 10.1.2.3 10.0.0.1 1 2\r\n', '10.1.2.3', 401],
  ['a look whether the edge is there', LOCAL, '10.1.2.3', 401],
  ['a client without an address', UNIX, '10.1.2.3', 401],
];

async function connect(t: Test, { edge }: LabSite, header: string | Buffer, protocol: string) {
  const socket = await connectProxied(t, edge.port, header);
  return connectTls({ socket, ca: edge.certificate.ca, servername: HOSTNAME, ALPNProtocols: [protocol] });
}

t.test('the client is who the header names, and X-Forwarded-For counts of trusted ones only', async (t) => {
  const site = await start(t);
  for (const [name, header, forwarded, status] of TABLE) {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    const secure = await connect(t, site, header, 'http/1.1');
    const request = https.request({
      createConnection: () => secure,
      path: MANIFEST,
      headers: { host: HOSTNAME, ...headers },
    });
    request.end();
    const [response] = await once(request, 'response');
    t.equal(response.resume().statusCode, status, `${name}, HTTP/1.1`);
    const over2 = await connect(t, site, header, 'h2');
    const session = http2.connect(`https://${HOSTNAME}`, { createConnection: () => over2 });
    t.teardown(() => session.destroy());
    const [replied] = await once(session.request({ ':path': MANIFEST, ...headers }), 'response');
    t.equal(replied[':status'], status, `${name}, HTTP/2`);
  }
  const clients = new Set(site.edge.requests.map((line) => (line as unknown as { client: string }).client));
  t.strictSame([...clients].sort(), ['10.1.2.3', '203.0.113.9', '::ffff:10.1.2.3', 'fd00::7', 'unknown']);
});

t.test('a reload changes who the load balancers are, but not whether they send headers', async (t) => {
  const site = await start(t);
  await t.rejects(once(await connect(t, site, '', 'h2'), 'secureConnect'));
  await site.edge.reload({ ...site.config, trustedProxies: ['192.0.2.8'] });
  await once(await connect(t, site, '', 'h2'), 'secureConnect');
  await t.rejects(once(await connect(t, site, header('10.1.2.3'), 'h2'), 'secureConnect'));
  t.match(site.edge.log, /"address":"127\.0\.0\.1"[^\n]*not in trustedProxies/);
  await t.rejects(
    site.edge.reload({ ...site.config, listen: { ...LISTEN, proxyProtocol: false } }),
    /listen\.proxyProtocol cannot change without a restart/,
  );
  await t.rejects(site.edge.reload({ ...site.config, trustedProxies: [] }), /trustedProxies is empty|configuration/);
});

t.test('what is refused is logged, but not by the thousand', async (t) => {
  const lines: { address: string; more: number; msg: string }[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  let now = 5;
  const networks = new NetworkSet(['10.0.0.0/8']);
  const listen = { ...LISTEN, http: undefined };
  const trust = proxyTrustOf(
    { listen } as Parameters<typeof proxyTrustOf>[0],
    () => networks,
    log,
    () => now,
  );
  t.ok(trust?.isProxy('::ffff:10.0.0.1'));
  t.notOk(trust?.isProxy('192.0.2.1'));
  for (let count = 0; count < 1000; count += 1) trust?.onRefused('proxyUntrusted', '192.0.2.1');
  trust?.onRefused('proxyMissing', '10.0.0.1');
  now += 10_000;
  trust?.onRefused('proxyUntrusted', '192.0.2.2');
  t.match(lines, [
    { address: '192.0.2.1', more: 0, msg: /not in trustedProxies/ },
    { address: '10.0.0.1', more: 0, msg: /without a PROXY header/ },
    { address: '192.0.2.2', more: 999 },
  ]);
  t.equal(lines.length, 3);
});
