import t from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { startEdge } from '../helpers/edge.ts';
import { HttpsClient } from '../helpers/https-client.ts';
import { pull } from '../helpers/pull.ts';

// The shortest way through all of it, for `npm run test:fast`: the edge as an operator starts it, before two registries of the lab.
t.test('an image is pulled from the primary, and from the fallback without it', async (t) => {
  const [primary, fallback] = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  for (const registry of [primary, fallback]) registry.seed('library/app', 'v1', { blobs: [300_000, 1000] });
  const edge = await startEdge(t, {
    upstreams: { harbor: { urls: [primary.url] }, gcr: { urls: [fallback.url] } },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
  });
  const client = new HttpsClient(edge.url, edge.certificate.authority);
  t.teardown(() => client.close());
  const from = async () => (await pull(client, 'library/app', 'v1')).upstreams;
  t.strictSame(new Set(await from()), new Set(['harbor']));
  await primary.close();
  t.strictSame(new Set(await from()), new Set(['gcr']), 'every part of it');
  t.equal(await edge.stop(), 0, 'and the edge ends as it should');
});
