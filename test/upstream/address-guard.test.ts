import type dns from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import t, { type Test } from 'tap';
import { upstreamSchema } from '../../src/config/upstream-schema.ts';
import { AddressGuard, guardedKind } from '../../src/upstream/address-guard.ts';
import { Connection } from '../../src/upstream/connection.ts';
import { BufferPool } from '../../src/upstream/reader/buffer-pool.ts';
import { lookupFrom, type Resolver } from '../../src/upstream/resolver.ts';
import { timeLimit } from '../helpers/time-limit.ts';

t.test('addresses by kind', async (t) => {
  const table: [kind: string | undefined, ...addresses: string[]][] = [
    ['loopback', '127.0.0.1', '127.8.9.10', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1', '64:ff9b::7f00:1'],
    ['link-local', '169.254.169.254', '169.254.0.1', 'fe80::1', 'fe80::1%eth0', '::ffff:169.254.169.254'],
    ['link-local', '64:ff9b::a9fe:a9fe'],
    ['metadata', 'fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '168.63.129.16', '192.0.0.192'],
    [undefined, '10.0.0.1', '192.168.1.1', '100.100.100.1', '8.8.8.8', 'fd00::1', '2001:db8::1', '::ffff:10.0.0.1'],
  ];
  for (const [kind, ...addresses] of table)
    for (const address of addresses) t.equal(guardedKind(address), kind, address);
});

type Names = Record<string, string[]>;

/** A resolver that knows these names. */
function resolverOf(names: Names): Pick<Resolver, 'addresses'> {
  return {
    addresses: async (name) => {
      const found = isIP(name) === 0 ? names[name] : [name];
      if (!found) throw Object.assign(new Error(name), { code: 'ENOTFOUND' });
      return found.map((address): dns.LookupAddress => ({ address, family: isIP(address) }));
    },
  };
}

const NAMES: Names = {
  'registry.lan': ['10.0.0.1'],
  'local.lan': ['127.0.0.1'],
  'near.lan': ['169.254.1.1'],
  'auth.lan': ['10.0.0.2'],
  'evil.lan': ['127.0.0.1'],
  'evil6.lan': ['::1'],
  'mixed.lan': ['10.0.0.3', '127.0.0.1'],
  'metadata.lan': ['169.254.169.254'],
  localhost: ['127.0.0.1'],
};

const RESOLVED: [upstream: string, list: string[], name: string, addresses: string[] | undefined][] = [
  ['http://registry.lan', [], 'auth.lan', ['10.0.0.2']],
  ['http://registry.lan', ['evil.lan'], 'evil.lan', undefined],
  ['http://registry.lan', ['evil.lan'], 'evil6.lan', undefined],
  ['http://registry.lan', ['evil.lan', '127.0.0.1'], 'evil.lan', ['127.0.0.1']],
  ['http://registry.lan', ['evil.lan', '127.0.0.1:5000'], 'evil.lan', ['127.0.0.1']],
  ['http://registry.lan', [], 'mixed.lan', ['10.0.0.3']],
  ['http://registry.lan', ['localhost'], 'localhost', ['127.0.0.1']],
  ['http://local.lan', [], 'local.lan', ['127.0.0.1']],
  ['http://local.lan', ['evil.lan'], 'evil.lan', ['127.0.0.1']],
  ['http://127.0.0.1:5000', ['evil6.lan'], 'evil6.lan', ['::1']],
  ['http://local.lan', ['metadata.lan'], 'metadata.lan', undefined],
  ['http://near.lan', ['near.lan'], 'near.lan', ['169.254.1.1']],
  ['http://near.lan', ['metadata.lan'], 'metadata.lan', undefined],
  ['http://metadata.lan', ['evil.lan'], 'evil.lan', undefined],
  ['http://gone.lan', ['evil.lan'], 'evil.lan', undefined],
];

for (const [upstream, list, name, addresses] of RESOLVED)
  t.test(`${name} for ${upstream} with ${list.join(' ') || 'no list'}`, async (t) => {
    const guard = new AddressGuard(resolverOf(NAMES), [new URL(upstream)], list);
    const found = await new Promise<dns.LookupAddress[] | Error>((resolve) =>
      guard.lookup(name, { all: true }, (error, all) => resolve(error ?? (all as dns.LookupAddress[]))),
    );
    if (addresses) t.same(found instanceof Error ? found : found.map(({ address }) => address), addresses);
    else t.match(found, { reason: 'redirect-host', message: /no list of hosts names/ });
  });

/**
 * An upstream that is on another machine, as far as its name says, and names hosts that are on this one. What they say there must not be
 * read.
 */
async function startEvil(t: Test) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.headers.host?.split(':')[0]}${request.url}`);
    const { port } = server.address() as AddressInfo;
    if (request.url?.startsWith('/redirect')) response.writeHead(307, { location: `http://evil.lan:${port}/secret` });
    else if (request.url?.startsWith('/realm'))
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://evil.lan:${port}/token"` });
    response.end('{"token":"secret"}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close().closeAllConnections());
  const url = `http://registry.lan:${(server.address() as AddressInfo).port}`;
  const config = upstreamSchema.parse({ urls: [url], realmHosts: ['evil.lan'], redirects: { hosts: ['evil.lan'] } });
  const { addresses } = resolverOf(NAMES);
  // The connections to the upstream itself arrive.
  const lookup = lookupFrom((name) => addresses(name === 'registry.lan' ? 'local.lan' : name));
  const network = { resolver: { addresses, lookup } as Resolver, pool: new BufferPool() };
  const connection = new Connection(url, config, {}, network);
  t.teardown(() => connection.close());
  return { connection, seen };
}

for (const way of ['send', 'stream'] as const)
  t.test(`a listed host whose name has been moved to this machine, by ${way}`, async (t) => {
    const { connection, seen } = await startEvil(t);
    for (const path of ['/redirect', '/realm']) {
      const signal = AbortSignal.timeout(timeLimit(5000));
      const call = {
        method: 'GET',
        path,
        headers: {},
        scopes: ['repository:a:pull'],
        signal,
        redirects: 'follow',
      } as const;
      const asked: Promise<unknown> = connection[way](call);
      await t.rejects(asked, { reason: 'redirect-host', message: /loopback address 127\.0\.0\.1/ });
    }
    t.notOk(
      seen.find((one) => one.startsWith('evil.lan')),
      seen.join(' '),
    );
    t.ok(seen.length >= 2, 'the upstream itself was asked');
  });
