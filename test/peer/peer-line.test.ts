import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { PeerLine } from '../../src/peer/peer-line.ts';
import { Resolver } from '../../src/upstream/resolver.ts';

/** A node that brings back what it is told and by which name it was asked. */
async function node(t: Test): Promise<{ address: string; names: unknown[] }> {
  const names: unknown[] = [];
  const server = https.createServer(await makeCertificate({ names: ['quite.another'], authority: true }));
  server.on('request', (request, response) => {
    names.push([Reflect.get(request.socket, 'servername'), request.headers.host]);
    request.pipe(response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return { address: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, names };
}

t.test('asks by the name of the edge, also where that is an address', async (t) => {
  const { address, names } = await node(t);
  for (const hostname of ['cr.example.io', '192.0.2.1', '[2001:db8::1]', '2001:db8::1']) {
    const line = new PeerLine({ address, hostname, resolver: new Resolver() });
    t.equal(await line.ask('x'), 'x', hostname);
    await line.close();
  }
  t.same(names[0], ['cr.example.io', 'cr.example.io']);
  t.same(names[1], [false, '192.0.2.1']);
});
