import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import { freePorts } from '../../bench/proxies/ports.ts';
import { type EdgeInProcess, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { startPebble } from '../helpers/pebble.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const skip = missing('pebble', 'pebble-challtestsrv');
const ROUTES = {
  upstreams: { harbor: { urls: ['http://127.0.0.1:1'], probe: { interval: '1h' } } },
  routes: [{ prefix: '', pull: [{ upstream: 'harbor' }] }],
};

/** The certificate that an edge serves. */
async function served(edge: EdgeInProcess): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port: edge.port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  if (!certificate) throw new Error('no certificate');
  return certificate;
}

const ordered = (edge: EdgeInProcess) =>
  until(() => edge.app.status().certificate?.state === 'valid', {
    timeout: 60_000,
    what: () => `a certificate: ${JSON.stringify(edge.app.status().certificate)} ${edge.log.slice(-2000)}`,
  });

t.test('HTTP-01: an edge orders its certificate, and serves it without dropping a connection', { skip }, async (t) => {
  const [http = 0] = await freePorts(1);
  const pebble = await startPebble(t, http);
  const config = {
    ...ROUTES,
    hostname: 'cr.example.test',
    aliases: ['second.example.test', '10.0.0.1'],
    listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0', http: `127.0.0.1:${http}` },
    tls: { acme: { directory: pebble.directory, agreeToTerms: true, dir: join(temporaryFolder(t), 'acme') } },
  };
  const edge = await startEdgeInProcess(t, config, { acmeCa: pebble.ca });
  const before = connect({ host: '127.0.0.1', port: edge.port, rejectUnauthorized: false });
  await once(before, 'secureConnect');
  await ordered(edge);
  const certificate = await served(edge);
  t.match(certificate.issuer, /Pebble Intermediate/);
  t.equal(certificate.subjectAltName, 'DNS:cr.example.test, DNS:second.example.test', 'no addresses');
  before.write('GET /v2/ HTTP/1.1\r\nhost: cr.example.test\r\n\r\n');
  const [answer] = await once(before, 'data');
  t.match(String(answer), /^HTTP\/1\.1 \d/, 'a connection of before goes on');
  before.destroy();
  const { body } = await edge.admin('/api/status');
  t.match(JSON.parse(body).certificate, { state: 'valid', waits: 'valid', orders: 1, failures: 0 });
  t.match((await edge.admin('/metrics')).body, /breakwater_certificate_expiry_seconds\{file="tls\.acme"\} \d+/);
  await edge.reload({ ...config, passthrough: 'harbor' });
  t.equal((await served(edge)).fingerprint256, certificate.fingerprint256, 'a reload keeps it');
  await t.rejects(edge.reload({ ...config, aliases: ['third.example.test'] }), { message: /tls\.acme.*restart/ });
});

t.test('HTTP-01: the other edge answers the challenge, and both serve the certificate', { skip }, async (t) => {
  const [http = 0, https = 0, other = 0] = await freePorts(3);
  const pebble = await startPebble(t, http);
  const key = Buffer.alloc(48, 'k');
  const config = (own: number, more: object, acme: object) => ({
    ...ROUTES,
    hostname: 'cr.example.test',
    keyFile: 'edge.key',
    peers: [`https://127.0.0.1:${https}`, `https://127.0.0.1:${other}`],
    listen: { https: `127.0.0.1:${own}`, admin: '127.0.0.1:0', ...more },
    tls: { acme: { directory: pebble.directory, agreeToTerms: true, ...acme } },
  });
  const settings = { acmeCa: pebble.ca, key };
  // The ACME server reaches only the first edge, and only the second one may order.
  const first = await startEdgeInProcess(t, config(https, { http: `127.0.0.1:${http}` }, {}), settings);
  const second = await startEdgeInProcess(
    t,
    config(other, { http: '127.0.0.1:0' }, { dir: join(temporaryFolder(t), 'acme') }),
    settings,
  );
  await Promise.all([ordered(first), ordered(second)]);
  t.equal((await served(first)).fingerprint256, (await served(second)).fingerprint256);
  t.match((await served(first)).issuer, /Pebble/);
  t.notMatch(first.log + second.log, /PRIVATE KEY/, 'no key in a log');
});

t.test('DNS-01: a command makes the record, and removes it', { skip }, async (t) => {
  const pebble = await startPebble(t, 1);
  const command = join(temporaryFolder(t), 'change-dns');
  writeFileSync(
    command,
    `#!/bin/sh
echo "$1 $2" >> "$0.log"
case $1 in
add) path=set-txt; body="{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" ;;
*) path=clear-txt; body="{\\"host\\":\\"$2.\\"}" ;;
esac
exec curl -sf -d "$body" ${pebble.dnsManagement}/$path
`,
  );
  chmodSync(command, 0o755);
  const edge = await startEdgeInProcess(
    t,
    {
      ...ROUTES,
      hostname: 'cr.example.test',
      tls: {
        acme: {
          ...{ directory: pebble.directory, agreeToTerms: true, dir: join(temporaryFolder(t), 'acme') },
          ...{ challenge: 'dns-01', dns: { command: [command], wait: '0s' }, names: ['*.example.test'] },
        },
      },
    },
    { acmeCa: pebble.ca },
  );
  await ordered(edge);
  t.equal((await served(edge)).subjectAltName, 'DNS:*.example.test');
  t.strictSame(readFileSync(`${command}.log`, 'utf8').trim().split('\n'), [
    'add _acme-challenge.example.test',
    'remove _acme-challenge.example.test',
  ]);
});

t.test('an ACME server that cannot verify leaves the edge as it is', { skip }, async (t) => {
  const pebble = await startPebble(t, 1);
  const edge = await startEdgeInProcess(
    t,
    {
      ...ROUTES,
      hostname: 'cr.example.test',
      listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0', http: '127.0.0.1:0' },
      tls: { acme: { directory: pebble.directory, agreeToTerms: true, dir: join(temporaryFolder(t), 'acme') } },
    },
    { acmeCa: pebble.ca },
  );
  await until(() => edge.app.status().certificate?.waits === 'backoff', {
    timeout: 60_000,
    what: () => JSON.stringify(edge.app.status().certificate),
  });
  const status = edge.app.status();
  t.match(status.certificate, { state: 'none', orders: 1, failures: 1 });
  t.match(
    status.headline.lines.join('\n'),
    /There is no certificate yet.*The last order failed: .*The next order is at/,
  );
});
