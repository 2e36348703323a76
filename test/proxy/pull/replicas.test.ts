import t from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { type EdgeInProcess, PROBE, RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { clientRequests, codeOf, IMAGE, sha256 } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

const MANIFEST = '/v2/library/app/manifests/1';

/** One upstream of two URLs, each a registry with the same content, and a fallback. */
async function startReplicas(owner: Owner, probe: Record<string, unknown>) {
  const registries = await Promise.all([startLabRegistry(), startLabRegistry(), startLabRegistry()]);
  owner.teardown(() => Promise.all(registries.map((registry) => registry.close())));
  const [one, two, fallback] = registries;
  const image = one.seed('library/app', '1', IMAGE);
  two.seed('library/app', '1', IMAGE);
  fallback.seed('library/app', '1', IMAGE);
  const edge = await startEdgeInProcess(owner, {
    upstreams: {
      harbor: { urls: [one.url, two.url], probe, deadlines: { manifest: '500ms', connect: '500ms' } },
      gcr: { urls: [fallback.url], probe },
    },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
  });
  return { one, two, fallback, edge, blob: image.blobDigests[0] ?? '' };
}

const urlState = (edge: EdgeInProcess, index: number) => edge.app.status().upstreams[0]?.urls[index]?.state;

t.test('URLs of one upstream take turns, and stand in for each other', async (t) => {
  const { one, two, fallback, edge, blob } = await startReplicas(t, RARE_PROBE);
  const client = edge.http1();
  for (let index = 0; index < 10; index += 1) await client.ask(MANIFEST);
  const counts = [one, two].map((registry) => clientRequests(registry).length);
  t.strictSame(counts, [5, 5], 'evenly');
  await one.faults.on('down');
  for (const path of [
    MANIFEST,
    `/v2/library/app/blobs/${blob}`,
    MANIFEST,
    '/v2/library/app/tags/list',
    '/v2/_catalog',
  ]) {
    const reply = await edge.http2().ask(path);
    t.match(
      reply,
      { status: 200, headers: { 'x-breakwater-upstream': 'harbor', warning: undefined } },
      path.slice(0, 24),
    );
  }
  const head = await client.ask(`/v2/library/app/blobs/${blob}`, { method: 'HEAD' });
  t.match(head, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } }, 'a blob HEAD within the upstream');
  t.equal(clientRequests(fallback).length, 0, 'the fallback is not needed');
  const missing = await client.ask(`/v2/library/app/blobs/${sha256('missing')}`);
  t.ok([404, 503].includes(missing.status));
});

t.test('one absence that is confirmed is enough', async (t) => {
  const registries = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all(registries.map((registry) => registry.close())));
  for (const registry of registries) registry.seed('canary', '1', { blobs: [1] });
  const edge = await startEdgeInProcess(t, {
    upstreams: { harbor: { urls: registries.map(({ url }) => url), probe: { ...RARE_PROBE, canary: 'canary:1' } } },
    routes: [{ prefix: '', pull: [{ upstream: 'harbor' }] }],
  });
  t.equal((await edge.http1().ask(MANIFEST)).status, 404);
  t.equal(registries.flatMap(clientRequests).length, 1);
});

t.test('pushes begin where it is well, and go on at the other URL only when theirs has failed', async (t) => {
  const { one, two, fallback, edge } = await startReplicas(t, { ...PROBE, timeout: '300ms' });
  const client = edge.http1();
  const begin = async () =>
    String((await client.ask('/v2/team/new/blobs/uploads/', { method: 'POST' })).headers.location);
  await one.faults.on('frozen');
  await until(() => urlState(edge, 0) === 'down', { what: () => 'the first URL to be down' });
  one.forget();
  const locations = await Promise.all([begin(), begin(), begin()]);
  for (const location of locations) {
    const put = await client.ask(`${location}?digest=${sha256('some')}`, { method: 'PUT', body: 'some' });
    t.equal(put.status, 201);
  }
  t.equal(one.writes, 0, 'nothing went to the URL that is down');
  const pinned = await begin();
  await one.faults.off();
  await two.faults.on('down');
  await until(() => urlState(edge, 0) === 'up' && urlState(edge, 1) === 'down', {
    what: () => 'them to change places',
  });
  const stranded = await client.ask(`${pinned}?digest=${sha256('some')}`, { method: 'PUT', body: 'some' });
  t.match(
    { status: stranded.status, code: codeOf(stranded) },
    { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
    'the session goes on at the other URL, which has a storage of its own here',
  );
  t.equal((await client.ask(await begin(), { method: 'DELETE' })).status, 204, 'a new one begins at the other');
  t.equal(fallback.writes, 0);
});
