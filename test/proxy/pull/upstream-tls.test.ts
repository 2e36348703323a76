import t from 'tap';
import { type MadeCertificate, makeCertificate } from '../../../src/lab/certificate.ts';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { pushBlob } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

async function startTls(owner: Owner, certificate: MadeCertificate, ca: string | undefined, host = '127.0.0.1') {
  const registry = await startLabRegistry({
    tls: { cert: certificate.cert, key: certificate.key },
    locations: 'absolute',
  });
  owner.teardown(() => registry.close());
  registry.seed('library/app', '1', { blobs: [1000] });
  const url = `https://${host}:${registry.port}`;
  const edge = await startEdgeInProcess(
    owner,
    {
      upstreams: { secure: { urls: [url], probe: PROBE, ...(ca === undefined ? {} : { caFile: 'ca.crt' }) } },
      routes: [{ prefix: '', push: 'secure', pull: [{ upstream: 'secure' }] }],
      passthrough: 'secure',
    },
    { secrets: { secure: ca === undefined ? {} : { ca } } },
  );
  return { registry, edge };
}

t.test('an upstream over TLS with an authority of its own: pulls, pushes, pages', async (t) => {
  const certificate = await makeCertificate({ authority: true });
  for (const host of ['127.0.0.1', 'localhost']) {
    const { registry, edge } = await startTls(t, certificate, certificate.ca, host);
    for (const client of [edge.http1(), edge.http2()]) {
      t.equal((await client.ask('/v2/library/app/manifests/1')).status, 200, `${host} pull`);
      t.equal((await pushBlob(client, 'team/new', Buffer.from(client.version))).status, 201, `${host} push`);
      t.equal((await client.ask('/nowhere')).status, 404, `${host} page`);
    }
    t.ok(registry.writes > 0);
  }
});

t.test('one whose certificate is not to be trusted gets nothing', async (t) => {
  const [good, other, expired] = await Promise.all([
    makeCertificate({ authority: true }),
    makeCertificate({ authority: true }),
    makeCertificate({ authority: true, days: -1 }),
  ]);
  const rows: [says: string, certificate: MadeCertificate, ca: string | undefined][] = [
    ['another authority', good, other.ca],
    ['the system’s authorities', good, undefined],
    ['expired', expired, expired.ca],
  ];
  for (const [says, certificate, ca] of rows) {
    const { registry, edge } = await startTls(t, certificate, ca);
    for (const client of [edge.http1(), edge.http2()]) {
      const pull = await client.ask('/v2/library/app/manifests/1', { headers: { authorization: 'Basic c2VjcmV0' } });
      t.match(pull, { status: 503, body: /tls/ }, says);
      const push = await client.ask('/v2/team/new/blobs/uploads/', { method: 'POST' });
      t.equal(push.status, 403);
      t.equal((await client.ask('/api/x', { method: 'POST', body: 'secret' })).status, 503);
    }
    t.equal(registry.requests.length, 0, 'no request was sent to it');
  }
});
