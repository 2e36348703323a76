import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { type KeyedCertificate, makeAuthority, makeLeaf } from '../../../src/certificates/certificate-maker.ts';
import { examine } from '../../../src/cli/cert/doctor.ts';
import { commonNameOnly, makeIntermediate } from '../../helpers/odd-certificates.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';

const DAY = 86_400_000;
const day = (days: number) => new Date(Date.now() + days * DAY);
const authority = await makeAuthority({ name: 'Site CA', from: day(-10), until: day(1000) });
const other = await makeAuthority({ name: 'Other CA', from: day(-10), until: day(1000) });
const leafOf = (signer: KeyedCertificate | undefined, names = ['127.0.0.1'], from = -5, until = 100) =>
  makeLeaf({ names, authority: signer, from: day(from), until: day(until) });

async function listen(owner: Owner, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server with this certificate, which tells the time with a difference. */
function serve(owner: Owner, made: KeyedCertificate, ahead = 0): Promise<number> {
  const server = https.createServer(made, (_request, response) => {
    response.setHeader('date', new Date(Date.now() + ahead).toUTCString());
    response.end();
  });
  owner.teardown(() => server.closeAllConnections());
  return listen(owner, server);
}

function fileOf(owner: Owner, text: string): string {
  const file = join(temporaryFolder(owner), 'ca.crt');
  writeFileSync(file, text);
  return file;
}

const look = async (port: number, options: Parameters<typeof examine>[1]) =>
  (await examine({ host: '127.0.0.1', port }, options)).map(({ problem }) => problem);

t.test('each way in which a real server is refused', async (t) => {
  const ca = fileOf(t, authority.cert);
  const { root, intermediate } = await makeIntermediate();
  const behind = await leafOf(intermediate);
  const alone = { cert: behind.cert.slice(0, behind.cert.indexOf('-----END') + 26), key: behind.key };
  const rows: [string, KeyedCertificate, Parameters<typeof examine>[1], string[]][] = [
    ['nothing is wrong', await leafOf(authority), { ca }, []],
    ['no names', await commonNameOnly(t, '127.0.0.1'), { ca }, ['no-names', 'self-signed']],
    ['another name', await leafOf(authority), { ca, name: 'cr.test' }, ['wrong-name']],
    ['a name that it has', await leafOf(authority, ['cr.test']), { ca, name: 'cr.test' }, []],
    ['expired', await leafOf(authority, undefined, -5, -1), { ca }, ['expired']],
    ['not yet valid', await leafOf(authority, undefined, 5), { ca }, ['not-yet-valid']],
    ['soon to expire', await leafOf(authority, undefined, -5, 5), { ca }, ['expires-soon']],
    ['self-signed', await leafOf(undefined), { ca }, ['self-signed']],
    ['another CA', await leafOf(other), { ca }, ['another-authority']],
    ['a private CA that was not given', await leafOf(authority), {}, ['another-authority']],
    ['with its intermediate', behind, { ca: fileOf(t, root) }, []],
    ['without its intermediate', alone, { ca: fileOf(t, root) }, ['missing-intermediate']],
    ['only the issuer is unknown', alone, {}, ['unknown-authority']],
  ];
  for (const [title, made, options, expected] of rows)
    t.strictSame(await look(await serve(t, made), options), expected, title);
});

t.test('the clock of the server tells that one of the two is wrong', async (t) => {
  const ca = fileOf(t, authority.cert);
  const future = await serve(t, await leafOf(authority, undefined, 5), 10 * DAY);
  t.strictSame(await look(future, { ca }), ['not-yet-valid', 'clock']);
  t.strictSame(await look(await serve(t, await leafOf(authority), 3_600_000), { ca }), ['clock']);
});

t.test('ports that show no certificate', async (t) => {
  const plain = await listen(
    t,
    http.createServer((_request, response) => response.end()),
  );
  t.strictSame(await look(plain, {}), ['plain-http']);
  const closing = await listen(
    t,
    net.createServer((socket) => socket.destroy()),
  );
  t.strictSame(await look(closing, {}), ['no-handshake']);
  const garbage = await listen(
    t,
    net.createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n')),
  );
  t.strictSame(await look(garbage, {}), ['no-handshake']);
  const closed = net.createServer();
  const port = await listen(t, closed);
  closed.close();
  await once(closed, 'close');
  t.strictSame(await look(port, {}), ['no-answer']);
  const [unknown] = await examine({ host: 'no-such-host.invalid', port: 443 }, {});
  t.equal(unknown?.problem, 'unknown-host');
});

t.test('a CA file that cannot be read is a mistake of the command', async (t) => {
  const place = { host: '127.0.0.1', port: 1 };
  await t.rejects(examine(place, { ca: fileOf(t, 'nothing') }), {
    name: 'UsageError',
    message: /no certificate in PEM/,
  });
  await t.rejects(examine(place, { ca: '/no/such/ca.crt' }), { name: 'UsageError', message: /does not exist/ });
});
