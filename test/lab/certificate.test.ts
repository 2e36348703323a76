import { X509Certificate } from 'node:crypto';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { startLabRegistry } from '../../src/lab/registry.ts';

t.test('a made certificate is trusted under every name of its own, and no other', async (t) => {
  for (const authority of [false, true]) {
    const { cert, key, ca } = await makeCertificate({ names: ['cr.example.io', '10.1.2.3'], authority });
    const server = createServer({ cert, key }, (_, res) => res.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    const ask = (servername: string, trusted: string | undefined) =>
      new Promise<string>((resolve) => {
        const options = { host: '127.0.0.1', port, servername, agent: false, ...(trusted ? { ca: trusted } : {}) };
        get(options, (res) => res.resume().once('end', () => resolve('fine'))).once('error', (error) =>
          resolve('code' in error ? String(error.code) : error.message),
        );
      });
    t.equal(await ask('cr.example.io', ca), 'fine', `authority: ${authority}`);
    t.equal(await ask('localhost', ca), 'fine');
    t.equal(await ask('other.example.io', ca), 'ERR_TLS_CERT_ALTNAME_INVALID');
    t.not(await ask('localhost', undefined), 'fine', 'nobody else trusts it');
    const made = new X509Certificate(cert);
    t.equal(
      made.subjectAltName,
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:cr.example.io, IP Address:10.1.2.3',
    );
    t.equal(made.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    t.equal(made.ca, !authority);
    const days = (Date.parse(made.validTo) - Date.now()) / 86_400_000;
    t.ok(days > 29.9 && days <= 30, `${days} days`);
  }
  t.not((await makeCertificate()).cert, (await makeCertificate()).cert);
});

t.test('one that has expired', async (t) => {
  const { cert } = await makeCertificate({ days: -1 });
  const made = new X509Certificate(cert);
  t.ok(Date.parse(made.validFrom) < Date.parse(made.validTo));
  t.ok(Date.parse(made.validTo) < Date.now());
});

t.test('a registry over TLS', async (t) => {
  const { cert, key, ca } = await makeCertificate();
  const registry = await startLabRegistry({ tls: { cert, key }, locations: 'absolute' });
  t.teardown(() => registry.close());
  t.match(registry.url, /^https:/);
  const status = await new Promise((resolve, reject) => {
    get(`${registry.url}/v2/`, { ca, agent: false }, (res) => resolve(res.resume().statusCode)).once('error', reject);
  });
  t.equal(status, 200);
});
