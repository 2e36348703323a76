import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { PeerClient } from '../../src/peer/peer-client.ts';
import { Resolver } from '../../src/upstream/resolver.ts';

/** A node that brings back what it is told and by which name it was asked. */
async function node(t: Test): Promise<{ address: string; names: unknown[] }> {
  const names: unknown[] = [];
  const server = https.createServer(await makeCertificate({ names: ['quite.another'], authority: true }));
  server.on('request', (request, response) => {
    names.push([Reflect.get(request.socket, 'servername'), request.headers.host]);
    if (request.url === '/_breakwater/peer' && request.headers.host === 'busy.test') response.writeHead(503).end();
    else request.pipe(response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return { address: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, names };
}

t.test('asks by the name of the edge, also where that is an address', async (t) => {
  const { address, names } = await node(t);
  for (const hostname of ['cr.example.io', '192.0.2.1', '[2001:db8::1]', '2001:db8::1']) {
    const line = new PeerClient({ address, hostname, resolver: new Resolver() });
    t.equal(await line.ask('x'), 'x', hostname);
    await line.close();
  }
  t.same(names[0], ['cr.example.io', 'cr.example.io']);
  t.same(names[1], [false, '192.0.2.1']);
});

t.test('one that has too much to do is no stranger', async (t) => {
  const { address } = await node(t);
  const line = new PeerClient({ address, hostname: 'busy.test', resolver: new Resolver() });
  t.teardown(() => line.close());
  await t.rejects(line.ask('x'), { reason: 'saturated', message: 'it is overloaded' });
});
