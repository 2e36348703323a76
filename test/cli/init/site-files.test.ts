import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { makeAuthority } from '../../../src/certificates/certificate-maker.ts';
import type { KeptFiles } from '../../../src/cli/init/present-site.ts';
import { siteFiles } from '../../../src/cli/init/site-files.ts';
import type { SitePlan } from '../../../src/cli/init/site-plan.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');
const PLAN: SitePlan = {
  ...{ hostname: 'cr.example.io', https: '0.0.0.0:443', admin: '127.0.0.1:9443', auth: 'delegate', realmHosts: [] },
  ...{ prefix: '', user: undefined, certificate: { from: 'ca' } },
  primary: {
    ...{ url: 'https://harbor.lan', kind: 'harbor', ca: 'PEM', canary: 'library/canary:latest' },
    account: { username: 'robot$edge', password: 'a secret' },
  },
  fallback: {
    ...{ url: 'https://backup.lan', prefix: '', kind: 'registry', ca: undefined, realmHosts: [] },
    account: undefined,
  },
};

async function filesOf(plan: SitePlan, kept: KeptFiles = {}) {
  const files = await siteFiles(plan, kept, NOW);
  return { files, names: files.map(({ name }) => name), of: (name: string) => files.find((one) => one.name === name) };
}

t.test('files of a site, the configuration last', async (t) => {
  const { files, names, of } = await filesOf(PLAN);
  t.strictSame(names, [
    ...['edge.key', 'ca/ca.crt', 'ca/ca.key', 'tls.crt', 'tls.key', 'primary.secret', 'primary-ca.crt'],
    'breakwater.yaml',
  ]);
  t.strictSame(
    files.filter(({ isSecret }) => isSecret).map(({ name }) => name),
    ['edge.key', 'ca/ca.key', 'tls.key', 'primary.secret'],
  );
  t.equal(of('primary.secret')?.content, 'a secret\n');
  t.ok((of('edge.key')?.content.length ?? 0) > 60, 'a key of 48 random bytes');
  const [leaf, authority] = [of('tls.crt'), of('ca/ca.crt')].map((file) => new X509Certificate(file?.content ?? ''));
  t.equal(leaf?.checkHost('cr.example.io'), 'cr.example.io');
  t.ok(authority && leaf?.verify(authority.publicKey), 'clients that trust the CA trust it');
  t.equal(leaf?.validToDate.getTime(), NOW + 397 * DAY);
});

t.test('an admin listener that others reach gets a token, which stays', async (t) => {
  const plan: SitePlan = { ...PLAN, admin: '0.0.0.0:9443' };
  const { of } = await filesOf(plan);
  t.match(of('admin.token'), { isSecret: true, content: /^[\w-]{32}\n$/ });
  t.match(of('breakwater.yaml')?.content, /^adminTokenFile: admin\.token /m);
  const adminToken = Buffer.from('the token of this site\n');
  t.strictSame((await filesOf(plan, { adminToken })).of('admin.token')?.content, adminToken);
});

t.test('what an earlier run made is used again', async (t) => {
  const before = await filesOf(PLAN);
  const ca = { cert: String(before.of('ca/ca.crt')?.content), key: String(before.of('ca/ca.key')?.content) };
  const key = Buffer.from(`${'n'.repeat(40)}\n${'o'.repeat(40)}\n`);
  const users = Buffer.from('# ours: J\xfcrgen\nbob:$2b$04$other\nann:$2b$04$old\n', 'latin1');
  const plan: SitePlan = { ...PLAN, auth: 'htpasswd', user: { username: 'ann', password: 'correct horse' } };
  const { of } = await filesOf(plan, { key, ca, users });
  t.strictSame(of('edge.key')?.content, key, 'also the old secret in the second line');
  t.equal(of('ca/ca.crt')?.content, ca.cert);
  const combined = { cert: `${ca.key}${ca.cert}`, key: ca.key };
  const again = await filesOf(plan, { key, ca: combined, users });
  t.equal(again.of('ca/ca.crt')?.content, ca.cert, 'without a key that lies beside it');
  t.match(of('users.htpasswd'), { isSecret: true });
  const text = Buffer.from(of('users.htpasswd')?.content ?? '').toString('latin1');
  t.match(text, /^# ours: J\xfcrgen\nbob:\$2b\$04\$other\nann:\$2b\$12\$\S+\n$/, 'the others byte for byte');
});

t.test('what cannot be used', async (t) => {
  const times = { from: new Date(NOW - 9 * DAY), until: new Date(NOW - DAY) };
  const ca = await makeAuthority({ name: 'old', ...times });
  await t.rejects(filesOf(PLAN, { ca }), {
    name: 'UsageError',
    message: /^--certificate ca: the CA CN=old expired on/,
  });
  const kept = { ca: { cert: ca.cert, key: undefined } };
  await t.rejects(filesOf(PLAN, kept), { name: 'UsageError', message: /is there without its key\. Put the key back/ });
  t.ok((await filesOf({ ...PLAN, certificate: { from: 'later' } }, kept)).files.length > 0, 'it is not needed then');
  const plan: SitePlan = { ...PLAN, user: { username: 'ann', password: 'x'.repeat(73) } };
  await t.rejects(filesOf(plan), { name: 'UsageError', message: /^--login-password-file: .*72 bytes/ });
  const named: SitePlan = { ...PLAN, hostname: 'a'.repeat(64) };
  await t.rejects(filesOf(named), { name: 'UsageError', message: /^--certificate ca: .* cannot be in a certificate/ });
});

t.test('a certificate that is not made here', async (t) => {
  const given = await filesOf({ ...PLAN, certificate: { from: 'files', cert: 'CERT', key: 'KEY\n' } });
  t.match(given.of('tls.crt'), { content: 'CERT\n', isSecret: false });
  t.match(given.of('tls.key'), { content: 'KEY\n', isSecret: true });
  t.notOk(given.names.includes('ca/ca.key'));
  t.notOk((await filesOf({ ...PLAN, certificate: { from: 'later' } })).names.includes('tls.crt'));
  const acme = { from: 'acme', directory: undefined, email: undefined, ca: 'PEM' } as const;
  t.match((await filesOf({ ...PLAN, certificate: acme })).of('acme-ca.crt'), { content: 'PEM\n' });
});
