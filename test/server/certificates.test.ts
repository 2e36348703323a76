import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import t from 'tap';
import { Certificates } from '../../src/server/certificates.ts';
import { connect2, connectRaw, request1, request2, startListener } from './listener-harness.ts';
import { makeCertificate } from './make-certificate.ts';

const run = promisify(execFile);

/** What `openssl s_client` says, whether the handshake succeeds or not. */
async function handshake(port: number, ...args: string[]): Promise<string> {
  const child = run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'edge.test', ...args]);
  child.child.stdin?.end();
  return child.then(
    ({ stdout, stderr }) => stdout + stderr,
    (error) => `${error.stdout}${error.stderr}`,
  );
}

t.test('chooses the certificate by name', async (t) => {
  const [first, second, wildcard] = await Promise.all([
    makeCertificate(['edge.test']),
    makeCertificate(['exact.wild.test']),
    makeCertificate(['*.wild.test']),
  ]);
  const { port } = await startListener(t, { certificates: [first, wildcard, second] });
  const subject = async (servername: string) => {
    const { socket } = await connectRaw(t, port, { servername });
    return socket.getPeerCertificate().subjectaltname;
  };
  t.equal(await subject('edge.test'), 'DNS:edge.test');
  t.equal(await subject('a.wild.test'), 'DNS:*.wild.test');
  t.equal(await subject('exact.wild.test'), 'DNS:exact.wild.test', 'an exact name wins over an earlier wildcard');
  t.equal(await subject('a.b.wild.test'), 'DNS:edge.test', 'a wildcard covers one label');
  t.equal(await subject('stranger.test'), 'DNS:edge.test', 'the first is the default');
  t.equal(await subject(''), 'DNS:edge.test', 'no name at all');
  t.equal(await subject('..'), 'DNS:edge.test', 'a name that is none');
});

t.test('speaks TLS 1.2 and 1.3 and nothing older', async (t) => {
  const { listener, port } = await startListener(t);
  t.match(await handshake(port, '-tls1_2'), /Protocol *: TLSv1\.2/);
  t.match(await handshake(port, '-tls1_3'), /TLSv1\.3/);
  const old = await handshake(port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0');
  t.match(old, /alert protocol version|Cipher is \(NONE\)/i);
  t.notMatch(old, /Cipher is ECDHE/);
  const weak = await handshake(port, '-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA:AES128-SHA');
  t.match(weak, /handshake failure|Cipher is \(NONE\)/i, 'CBC ciphers are refused');
  t.ok(listener.counts.tlsErrors >= 2, 'failed handshakes are counted');
  t.equal((await request1(port)).status, 200, 'and the listener goes on');
});

t.test('offers h2 and http/1.1 by ALPN, and HTTP/1.1 without ALPN', async (t) => {
  const { port } = await startListener(t);
  t.match(await handshake(port, '-alpn', 'h2,http/1.1'), /ALPN protocol: h2/);
  t.match(await handshake(port, '-alpn', 'http/1.1'), /ALPN protocol: http\/1\.1/);
  const { socket, closed } = await connectRaw(t, port, { ALPNProtocols: [] });
  socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n');
  t.match(await closed, /^HTTP\/1\.1 200 /);
});

t.test('replaces certificates live, and keeps the old ones when the new are broken', async (t) => {
  const old = await makeCertificate(['edge.test'], 10);
  const { certificates: served, port } = await startListener(t, {
    certificates: [old],
    handler: (req, res) => {
      (res as ServerResponse).write('one,');
      req.pipe(res);
    },
  });
  const held = await connectRaw(t, port);
  held.socket.write('POST / HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 4\r\nConnection: close\r\n\r\n');
  await once(held.socket, 'data');

  const fresh = await makeCertificate(['edge.test', 'second.test'], 20);
  served.replace([fresh]);
  t.match(served.expiries(), [{ file: 'edge.test.crt' }]);
  const alternative = async (servername: string) =>
    (await connectRaw(t, port, { servername })).socket.getPeerCertificate().subjectaltname;
  t.equal(await alternative('edge.test'), 'DNS:edge.test, DNS:second.test');
  t.equal(await alternative(''), 'DNS:edge.test, DNS:second.test', 'the default too');

  t.match(await request2(await connect2(t, port), { ':method': 'POST' }, 'h2'), { status: 200, body: 'one,h2' });

  const other = await makeCertificate(['other.test']);
  t.throws(() => served.replace([{ ...other, cert: 'not a PEM' }]), /certificate other\.test\.crt: /);
  t.throws(() => served.replace([other, { ...fresh, key: other.key }]), /does not belong/);
  t.throws(() => served.replace([{ ...other, key: '' }]), /certificate other\.test\.crt: /);
  t.throws(() => served.replace([]), /at least one/);
  t.equal(await alternative('edge.test'), 'DNS:edge.test, DNS:second.test', 'the good one serves on');
  t.equal(await alternative('other.test'), 'DNS:edge.test, DNS:second.test');

  held.socket.write('two,');
  t.match(await held.closed, /one,[\s\S]*two,/, 'a connection that was open was not touched');
});

t.test('tells when each certificate ends', async (t) => {
  const certificates = new Certificates([await makeCertificate(['a.test'], 10), await makeCertificate(['b.test'], 20)]);
  const days = certificates
    .expiries()
    .map(({ file, expiresAt }) => [file, Math.round((expiresAt - Date.now()) / 86_400_000)]);
  t.same(days, [
    ['a.test.crt', 10],
    ['b.test.crt', 20],
  ]);
});
