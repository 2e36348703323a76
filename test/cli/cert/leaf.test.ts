import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { certificateNames } from '../../../src/certificates/certificate-facts.ts';
import { readCertificates } from '../../../src/certificates/certificate-text.ts';
import { writeAuthority } from '../../../src/cli/cert/ca.ts';
import { renewLeaf, writeLeaf } from '../../../src/cli/cert/leaf.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');
const mode = (...path: string[]) => statSync(join(...path)).mode & 0o777;
const text = (...path: string[]) => readFileSync(join(...path), 'utf8');

t.test('a CA and a leaf, from nothing', async (t) => {
  const folder = temporaryFolder(t);
  const [ca, out] = [join(folder, 'ca'), join(folder, 'edge')];
  await writeAuthority({ days: 3650, output: ca }, NOW);
  t.strictSame(readdirSync(ca).sort(), ['ca.crt', 'ca.key'], 'nothing else is left there');
  t.equal(mode(ca), 0o700);
  t.equal(mode(ca, 'ca.key'), 0o600);
  t.equal(mode(ca, 'ca.crt'), 0o644);
  t.match(new X509Certificate(text(ca, 'ca.crt')).subject, /CN=Breakwater CA 2026-11-30/);
  const said = await writeLeaf(['cr.test', '10.0.0.10'], { ca, output: out, days: 397, before: 30 }, NOW);
  t.match(said, /made a certificate for cr\.test, 10\.0\.0\.10, valid until 2028-01-01\ntls: \{ certFile: .*tls\.crt/);
  t.equal(mode(out, 'tls.key'), 0o600);
  t.ok(new X509Certificate(text(out, 'tls.crt')).verify(new X509Certificate(text(ca, 'ca.crt')).publicKey));
});

t.test('nothing is overwritten without --force, and then all of it', async (t) => {
  const folder = temporaryFolder(t);
  await writeAuthority({ days: 10, output: folder }, NOW);
  const before = text(folder, 'ca.crt');
  await t.rejects(writeAuthority({ days: 10, output: folder }, NOW), { name: 'UsageError', message: /exists already/ });
  t.equal(text(folder, 'ca.crt'), before);
  writeFileSync(join(folder, 'tls.crt'), 'ours');
  await t.rejects(writeLeaf(['a.test'], { ca: folder, output: folder, days: 5, before: 1 }, NOW), /exists already/);
  t.strictSame(readdirSync(folder).sort(), ['ca.crt', 'ca.key', 'tls.crt'], 'no half of a pair');
  await writeAuthority({ days: 10, output: folder, force: true }, NOW);
  t.not(text(folder, 'ca.crt'), before);
});

t.test('a leaf is renewed before its end, with its key and its names', async (t) => {
  const folder = temporaryFolder(t);
  const options = { ca: folder, output: folder, days: 100, before: 30 };
  await writeAuthority({ days: 1000, output: folder }, NOW);
  await writeLeaf(['cr.test', '::1'], options, NOW);
  const [cert, key] = [text(folder, 'tls.crt'), text(folder, 'tls.key')];
  t.match(await renewLeaf([], options, NOW + 60 * DAY), /for 40 more days; nothing to do/);
  t.equal(text(folder, 'tls.crt'), cert);
  t.match(await renewLeaf([], options, NOW + 80 * DAY), /was replaced; its key stays/);
  const renewed = new X509Certificate(text(folder, 'tls.crt'));
  t.not(text(folder, 'tls.crt'), cert);
  t.equal(text(folder, 'tls.key'), key);
  t.strictSame(certificateNames(renewed), ['cr.test', '::1']);
  t.equal(renewed.validToDate.getTime(), NOW + 180 * DAY);
  await t.rejects(renewLeaf(['other.test'], options, NOW), { message: /is for cr\.test, ::1/ });
  await t.rejects(renewLeaf(['cr.test'], options, NOW), { message: /give it others with --force/ }, 'no name is lost');
  await renewLeaf(['other.test'], { ...options, force: true }, NOW);
  t.strictSame(certificateNames(new X509Certificate(text(folder, 'tls.crt'))), ['other.test']);
});

t.test('a CA is replaced with an overlap', async (t) => {
  const folder = temporaryFolder(t);
  const [old, fresh] = [join(folder, 'old'), join(folder, 'new')];
  await writeAuthority({ name: 'Old', days: 100, output: old }, NOW);
  const { trustFile } = await writeAuthority({ name: 'New', days: 1000, output: fresh, with: old }, NOW + 50 * DAY);
  const both = readCertificates(text(trustFile ?? ''), 'it').map(({ subject }) => subject);
  t.strictSame(both, ['CN=New', 'CN=Old']);
  t.equal(readCertificates(text(fresh, 'ca.crt'), 'it').length, 1, 'the new CA alone, for afterwards');
  await t.rejects(writeAuthority({ days: 9, output: join(folder, 'third'), with: old }, NOW + 200 * DAY), {
    message: /no CA that is still valid/,
  });
});

t.test('mistakes are said with the file', async (t) => {
  const folder = temporaryFolder(t);
  const options = { ca: folder, output: folder, days: 100, before: 30 };
  await t.rejects(writeLeaf([], options, NOW), { message: /at least one host name/ });
  await t.rejects(writeLeaf(['a.test'], options, NOW), { message: /ca\.crt does not exist/ });
  await writeAuthority({ days: 10, output: folder }, NOW);
  const late = NOW + 20 * DAY;
  await t.rejects(writeLeaf(['a.test'], options, late), { name: 'UsageError', message: /expired on 2026-12-10/ });
  t.match(await writeLeaf(['a.test'], options, NOW), /the end of its CA, which has to be replaced/);
  writeFileSync(join(folder, 'tls.crt'), 'ours');
  await t.rejects(renewLeaf([], options, NOW), { message: /tls\.crt: it holds no certificate/ });
  await t.rejects(writeAuthority({ days: 10, output: join(folder, 'b'), name: 'ä' }, NOW), { message: /ASCII/ });
});
