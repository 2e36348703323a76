import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import t from 'tap';
import { certificateFacts, certificateNames, factsText } from '../../src/certificates/certificate-facts.ts';
import { makeAuthority, makeLeaf } from '../../src/certificates/certificate-maker.ts';
import { CertificateError, isCertificateName, readCertificates } from '../../src/certificates/certificate-text.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');
const from = new Date(NOW);
const inDays = (days: number) => new Date(NOW + days * DAY);

const authority = await makeAuthority({ name: 'Test CA', from, until: inDays(100) });

t.test('a CA signs leaves, and nothing else', async (t) => {
  const ca = new X509Certificate(authority.cert);
  const { cert, key } = await makeLeaf({ names: ['cr.test', '10.0.0.10', '::1'], authority, from, until: inDays(50) });
  const [leaf, above] = readCertificates(cert, 'it');
  t.ok(ca.ca);
  t.notOk(leaf?.ca);
  t.ok(leaf?.checkIssued(ca) && leaf.verify(ca.publicKey));
  t.equal(above?.fingerprint256, ca.fingerprint256, 'the CA comes after the leaf');
  t.strictSame(leaf && certificateNames(leaf), ['cr.test', '10.0.0.10', '::1']);
  t.equal(leaf?.validToDate.getTime(), inDays(50).getTime());
  const again = await makeLeaf({ names: ['cr.test'], authority, key, from, until: inDays(50) });
  t.equal(again.key, key, 'a key is used again');
  t.ok(new X509Certificate(again.cert).publicKey.equals(leaf?.publicKey ?? ca.publicKey));
});

t.test('a leaf does not outlive its CA', async (t) => {
  const { cert } = await makeLeaf({ names: ['cr.test'], authority, from, until: inDays(397) });
  t.equal(new X509Certificate(cert).validToDate.getTime(), inDays(100).getTime());
});

t.test('a CA that cannot sign is refused with words', async (t) => {
  const leaf = await makeLeaf({ names: ['cr.test'], authority, from, until: inDays(50) });
  const expired = await makeAuthority({ name: 'Old CA', from: inDays(-20), until: inDays(-2) });
  const sign = (signer: typeof authority, names = ['cr.test']) =>
    makeLeaf({ names, authority: signer, from, until: inDays(5) });
  await t.rejects(sign(expired), { message: /CN=Old CA expired on 2026-11-28.*Make a new CA/ });
  await t.rejects(sign(leaf), { message: /certificate of a server and cannot sign/ });
  await t.rejects(sign({ ...authority, key: leaf.key }), { message: /does not belong to the CA CN=Test CA/ });
  await t.rejects(sign({ ...authority, key: 'no key' }), { message: /no private key in PEM form/ });
  await t.rejects(sign({ ...authority, cert: 'none' }), { message: /no certificate in PEM form/ });
  await t.rejects(sign(authority, ['a b']), CertificateError);
  await t.rejects(sign(authority, []), { message: /no name cannot be/ });
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await t.rejects(makeLeaf({ names: ['a.test'], authority, key, from, until: inDays(5) }), { message: /ECDSA or RSA/ });
});

t.test('an RSA key of a CA from elsewhere signs, and only its own chain goes along', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const self = await makeLeaf({ names: ['root.test'], key, from, until: inDays(90) });
  const signer = { cert: `${self.cert}${authority.cert}`, key };
  const { cert } = await makeLeaf({ names: ['cr.test'], authority: signer, from, until: inDays(5) });
  const all = readCertificates(cert, 'it');
  t.equal(all.length, 2, 'another CA of the same file is left out');
  t.ok(all[0]?.verify(new X509Certificate(self.cert).publicKey));
});

t.test('names of certificates', async (t) => {
  for (const name of ['cr.example.io', '*.example.io', 'localhost', 'my_registry', '10.0.0.1', 'fe80::1'])
    t.ok(isCertificateName(name), name);
  for (const name of ['', 'a..b', '*', 'a.*.b', '-a', 'a b', 'https://a', 'a:443', `${'a'.repeat(64)}.b`])
    t.notOk(isCertificateName(name), name);
});

t.test('what a person is shown', async (t) => {
  const { cert } = await makeLeaf({ names: ['cr.test'], authority, from, until: inDays(50) });
  const facts = certificateFacts(new X509Certificate(cert), NOW + DAY);
  t.match(facts, { subject: 'CN=cr.test', issuer: 'CN=Test CA', daysLeft: 49, ca: false, selfSigned: false });
  t.match(factsText(facts), /names {4}cr\.test\nvalid {4}2026-11-30 to 2027-01-19 \(49 days left\)/);
  const ca = certificateFacts(new X509Certificate(authority.cert), NOW + 200 * DAY);
  t.match(factsText(ca), /issuer {3}itself\nnames {4}none\nvalid.*expired 100 days ago/);
  t.match(factsText({ ...ca, daysLeft: 1 }), /\(1 day left\)/);
  t.throws(() => readCertificates('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'x.crt'), {
    message: 'certificate 1 of 1 in x.crt cannot be read',
  });
});
