import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { type KeyedCertificate, makeAuthority, makeLeaf } from '../../src/certificates/certificate-maker.ts';
import { diagnoseConnection, diagnoseTls, type TlsEvidence } from '../../src/certificates/tls-diagnosis.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');
const day = (days: number) => new Date(NOW + days * DAY);
const parsed = (...made: Pick<KeyedCertificate, 'cert'>[]) => made.map(({ cert }) => new X509Certificate(cert));

const authority = await makeAuthority({ name: 'Site CA', from: day(-10), until: day(1000) });
const renewed = await makeAuthority({ name: 'Site CA', from: day(-10), until: day(1000) });
const other = await makeAuthority({ name: 'Other CA', from: day(-10), until: day(1000) });
const leafOf = (signer: KeyedCertificate | undefined, from = -5, until = 100) =>
  makeLeaf({ names: ['cr.test', '10.0.0.1'], authority: signer, from: day(from), until: day(until) });
const leaf = await leafOf(authority);

const evidence = (changes: Partial<TlsEvidence> = {}): TlsEvidence => ({
  name: 'cr.test',
  chain: parsed(leaf),
  trusted: parsed(authority),
  trust: '--ca ca.crt',
  now: NOW,
  serverTime: undefined,
  ...changes,
});
const problems = (changes: Partial<TlsEvidence>) => diagnoseTls(evidence(changes)).map(({ problem }) => problem);

t.test('a certificate that clients take has nothing wrong', async (t) => {
  t.strictSame(problems({}), []);
  t.strictSame(problems({ name: '10.0.0.1' }), []);
  t.strictSame(problems({ serverTime: NOW + 60_000 }), []);
  const self = await leafOf(undefined);
  t.strictSame(problems({ chain: parsed(self), trusted: parsed(self) }), []);
});

t.test('each thing that is wrong is named', async (t) => {
  const self = await leafOf(undefined);
  const rows: [string, Partial<TlsEvidence>, string[]][] = [
    ['another name', { name: 'other.test' }, ['wrong-name']],
    ['another address', { name: '10.0.0.2' }, ['wrong-name']],
    ['its end is past', { now: NOW + 200 * DAY }, ['expired']],
    ['its end is near', { now: NOW + 95 * DAY }, ['expires-soon']],
    ['its beginning is to come', { now: NOW - 7 * DAY }, ['not-yet-valid']],
    ['its CA and itself are over', { now: NOW + 2000 * DAY }, ['expired', 'expired']],
    ['a slow clock here', { now: NOW - 7 * DAY, serverTime: NOW }, ['not-yet-valid', 'clock']],
    ['a fast clock there', { serverTime: NOW + DAY }, ['clock']],
    ['self-signed', { chain: parsed(self) }, ['self-signed']],
    [
      'a CA that is sent but not trusted',
      { trusted: parsed(other), chain: parsed(leaf, authority) },
      ['another-authority'],
    ],
    ['a CA that was made anew', { trusted: parsed(renewed) }, ['another-authority']],
    ['neither sent nor given', { trusted: parsed(other) }, ['missing-intermediate']],
    ['a private CA, and none is given', { trusted: parsed(other), trust: "the system's CAs" }, ['unknown-authority']],
    ['no certificate', { chain: [] }, ['no-handshake']],
    [
      'all at once',
      { name: 'b.test', now: NOW + 200 * DAY, trusted: [] },
      ['wrong-name', 'expired', 'missing-intermediate'],
    ],
  ];
  for (const [title, changes, expected] of rows) t.strictSame(problems(changes), expected, title);
});

t.test('words say what to do', async (t) => {
  const [clock] = diagnoseTls(evidence({ serverTime: NOW + DAY }));
  t.match(clock, { level: 'warning', remedy: /timedatectl/ });
  const found = diagnoseTls(evidence({ now: NOW - 7 * DAY, serverTime: NOW }));
  t.match(found[1], { level: 'error', message: /this machine says 2026-11-23.*server 2026-11-30/ });
  const [old] = diagnoseTls(evidence({ trusted: parsed(renewed) }));
  t.match(old?.message, /a CA of the same name, but with another key/);
});

t.test('a server that signs for others is no CA', async (t) => {
  const server = await makeLeaf({ names: ['a.test'], from: day(-5), until: day(100) });
  t.strictSame(problems({ chain: parsed(await leafOf(server)), trusted: parsed(server) }), []);
});

t.test('connections that come to no certificate', async (t) => {
  const at = { host: 'cr.test', port: 443, message: 'text\u001b[31m', plainHttp: false };
  const rows: [string, string, RegExp][] = [
    ['ENOTFOUND', 'unknown-host', /getent hosts cr\.test/],
    ['ECONNREFUSED', 'no-answer', /breakwater status/],
    ['ETIMEDOUT', 'no-answer', /firewalls/],
    ['ECONNRESET', 'no-handshake', /PROXY header/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'no-handshake', /TLS 1\.0/],
  ];
  for (const [code, problem, remedy] of rows) t.match(diagnoseConnection({ ...at, code }), { problem, remedy }, code);
  t.match(diagnoseConnection({ ...at, code: 'EPROTO', plainHttp: true }), { problem: 'plain-http' });
  t.notMatch(diagnoseConnection({ ...at, code: 'EPROTO' }).message, /\u001b/, 'nothing that a terminal obeys');
});
