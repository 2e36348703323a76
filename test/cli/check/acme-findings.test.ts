import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { AcmeFolder } from '../../../src/acme/acme-folder.ts';
import { makeLeaf } from '../../../src/certificates/certificate-maker.ts';
import { acmeFindings } from '../../../src/cli/check/acme-findings.ts';
import { parseConfig } from '../../../src/config/inspection.ts';
import type { Loaded } from '../../../src/config/load.ts';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');

function loaded(acme: object, acmeCa?: string): Loaded {
  const { config } = parseConfig({
    hostname: 'cr.example.io',
    listen: { http: '0.0.0.0:80' },
    tls: { acme: { agreeToTerms: true, ...acme } },
    upstreams: { harbor: { urls: ['https://harbor.lan'] } },
    routes: [{ prefix: '', pull: [{ upstream: 'harbor' }] }],
  });
  return { path: '/x/breakwater.yaml', config, warnings: [], material: { acmeCa } } as unknown as Loaded;
}

t.test('what stands in the folder', async (t) => {
  const dir = temporaryFolder(t);
  const folder = new AcmeFolder(dir);
  const found = (now = NOW) => acmeFindings(loaded({ dir }), { now, offline: true });
  const message = 'there is no certificate yet; the edge orders one when it serves, and until then clients refuse it';
  t.match(await found(), [{ level: 'warning', message, remedy: 'start the edge, and see breakwater status' }]);
  const save = async (names: string[], directory?: string) =>
    folder.saveCertificate({
      ...(await makeLeaf({ names, from: new Date(NOW - DAY), until: new Date(NOW + 89 * DAY) })),
      directory,
    });
  const server = 'https://acme-v02.api.letsencrypt.org/directory';
  for (const [from, text] of [
    ['https://staging.test/dir', 'https://staging.test/dir'],
    [undefined, 'an unknown ACME server'],
  ] as const) {
    await save(['cr.example.io'], from);
    t.match(await found(), [
      {
        ...{ level: 'warning', remedy: 'restart the edge, and see breakwater status' },
        message: `the certificate is of ${text}, and the configuration names ${server}; the edge orders another one`,
      },
    ]);
  }
  await save(['cr.example.io'], server);
  t.strictSame(await found(), [
    { level: 'ok', subject: 'tls.acme', message: 'valid until 2027-02-27, renewed from 2027-01-28' },
  ]);
  const why = 'breakwater status says why it was not renewed';
  t.match(await found(NOW + 70 * DAY), [
    { level: 'warning', message: 'the certificate is to be renewed, and ends on 2027-02-27', remedy: why },
  ]);
  t.match(await found(NOW + 90 * DAY), [
    { level: 'error', message: 'the certificate expired on 2027-02-27', remedy: why },
  ]);
  await save(['other.example.io'], server);
  await folder.saveOrders([1, 2].map((days) => ({ id: `000000000000000${days}`, at: NOW - days * DAY })));
  t.match(await found(), [
    {
      ...{ level: 'warning', remedy: 'restart the edge, and see breakwater status' },
      message: 'the certificate lacks the name cr.example.io; the edge orders another one',
    },
    {
      ...{
        level: 'warning',
        remedy: 'breakwater status says why the orders failed; once that is mended: breakwater cert order',
      },
      message: 'two orders of the last seven days are used, so none is placed before 2026-12-05T12:00:00.000Z',
    },
  ]);
  writeFileSync(join(dir, 'file'), '');
  t.match(await acmeFindings(loaded({ dir: join(dir, 'file') }), { now: NOW, offline: true }), [
    {
      ...{ level: 'error', remedy: 'give the folder to the user of the service' },
      message: /^tls\.acme\.dir cannot be read: /,
    },
  ]);
});

t.test('a DNS command that cannot be run', async (t) => {
  const acme = { dir: temporaryFolder(t), challenge: 'dns-01', dns: { command: ['/no/such/change-dns'] } };
  t.match((await acmeFindings(loaded(acme), { now: NOW, offline: true })).at(-1), {
    ...{ level: 'error', remedy: 'check dns.command; chmod +x /no/such/change-dns' },
    message: 'the DNS command /no/such/change-dns does not exist or may not be run',
  });
});

t.test('whether the ACME server answers', async (t) => {
  const { cert, key, ca } = await makeCertificate({ authority: true });
  let body = '{"newOrder":"https://a.test/order"}';
  const server = https.createServer({ cert, key }, (_request, response) => response.end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const directory = `https://127.0.0.1:${(server.address() as AddressInfo).port}/dir`;
  const dir = temporaryFolder(t);
  const found = async (authority?: string) =>
    (await acmeFindings(loaded({ dir, directory }, authority), { now: NOW, offline: false })).at(-1);
  t.match(await found(ca), { level: 'ok', message: `${directory} answers` });
  t.match(await found(), {
    ...{ level: 'error', remedy: 'check directory, caFile, and whether this machine may reach it' },
    message: /does not answer as an ACME server: .*(SELF_SIGNED|UNABLE)/,
  });
  body = '<html>';
  t.match(await found(ca), { message: /: status 200, and no directory$/ });
  body = 'x'.repeat(200_000);
  t.match(await found(ca), { message: /: its answer is too long$/ });
});
