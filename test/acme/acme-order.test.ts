import { createHash } from 'node:crypto';
import t from 'tap';
import { type OrderOptions, orderCertificate, type PresentedChallenge } from '../../src/acme/acme-order.ts';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { type Odd, startServer, tls } from './acme-server.ts';

function optionsOf(directory: string, over: Partial<OrderOptions> = {}) {
  const events: string[] = [];
  const presented: PresentedChallenge[] = [];
  const options: OrderOptions = {
    ...{ directory, ca: tls.ca, email: 'ops@example.io', names: ['cr.test'], challenge: 'http-01' },
    accountKey: (make) => make(),
    onOrder: async () => void events.push('order'),
    present: async (challenge) => {
      events.push('present');
      presented.push(challenge);
    },
    remove: async () => void events.push('remove'),
    settled: async () => void events.push('settled'),
    ...over,
  };
  return { options, events, presented };
}

const issued = await makeCertificate({ names: ['cr.test'] });

t.test('an order, step by step', async (t) => {
  const { directory, asked } = await startServer(t, issued);
  const { options, events, presented } = optionsOf(directory);
  const { cert, key } = await orderCertificate(options);
  t.equal(cert.trim(), issued.cert.trim());
  t.match(key, /BEGIN PRIVATE KEY/);
  t.strictSame(events, ['order', 'present', 'settled', 'remove']);
  t.strictSame(
    asked.filter((path) => path !== '/nonce'),
    ['/dir', '/dir', '/account', '/order', '/authorization', '/challenge', '/challenge', '/finalize', '/certificate'],
  );
  t.match(presented, [{ token: 'the-token', answer: /^the-token\.[\w-]{43}$/, record: '_acme-challenge.cr.test' }]);
});

t.test('the value of a TXT record is the digest of the answer', async (t) => {
  const { directory } = await startServer(t, issued, { type: 'dns-01' });
  const { options, presented } = optionsOf(directory, { challenge: 'dns-01', names: ['*.cr.test'] });
  await orderCertificate(options);
  t.equal(Buffer.from(presented[0]?.answer ?? '', 'base64url').length, createHash('sha256').digest().length);
});

t.test('a nonce that is refused, an account that is there already, and a server that takes its time', async (t) => {
  const { directory, asked } = await startServer(t, issued, { badNonces: 2, account: 'known', processing: 2 });
  const { options } = optionsOf(directory);
  t.equal((await orderCertificate(options)).cert.trim(), issued.cert.trim());
  const steps = asked.filter((path) => path !== '/nonce' && path !== '/dir');
  t.strictSame(
    steps.slice(0, 4),
    ['/account', '/account', '/account', '/account'],
    'twice refused, found, contact told',
  );
  t.strictSame(steps.slice(4), [
    ...['/order', '/authorization', '/challenge', '/challenge', '/challenge', '/finalize', '/order/1', '/certificate'],
  ]);
});

t.test('an order that cannot be noted is not placed', async (t) => {
  const { directory, asked } = await startServer(t, issued);
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const { options } = optionsOf(directory, { onOrder: () => Promise.reject(full) });
  await t.rejects(orderCertificate(options), { message: 'no space left' });
  t.notOk(asked.includes('/order'));
});

t.test('what a server may not ask for, and what it refuses', async (t) => {
  const rows: [Odd, RegExp, string[]][] = [
    [{ identifier: 'bank.test' }, /asks for a name that was not ordered/, ['order']],
    [{ token: '../../etc/passwd' }, /malformed token/, ['order']],
    [{ type: 'tls-alpn-01' }, /offers no http-01 for cr\.test/, ['order']],
    [{ challenge: 'invalid' }, /no such host/, ['order', 'present', 'settled', 'remove']],
    [{ badNonces: 9 }, /^nonce\?$/, []],
    [{ authorizations: 2 }, /more names than were ordered/, ['order']],
    [{ finalize: 'no JSON' }, /sent something that is not JSON/, ['order', 'present', 'settled', 'remove']],
    [{ certificate: 'x'.repeat(1_100_000) }, /longer than 1048576 bytes/, ['order', 'present', 'settled', 'remove']],
    [{ certificate: issued.cert + 'x'.repeat(70_000) }, /longer than 65536/, ['order', 'present', 'settled', 'remove']],
  ];
  for (const [odd, message, expected] of rows) {
    const { directory } = await startServer(t, issued, odd);
    const { options, events } = optionsOf(directory);
    await t.rejects(orderCertificate(options), { message });
    t.strictSame(events, expected);
  }
  const { directory, server } = await startServer(t, issued);
  const cut = optionsOf(directory, {
    onOrder: async () => {
      server.closeAllConnections();
      server.close();
    },
  });
  await t.rejects(orderCertificate(cut.options), { message: 'the ACME server stopped answering' });
  const { options, events } = optionsOf('https://127.0.0.1:1/dir');
  await t.rejects(orderCertificate(options), { message: /ECONNREFUSED/ });
  t.strictSame(events, [], 'a server that cannot be reached costs no order');
});
