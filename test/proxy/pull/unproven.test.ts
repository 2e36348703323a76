import t, { type Test } from 'tap';
import type { FaultName } from '../../../src/lab/fault.ts';
import { PROBE, RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { codeOf, INNER, type LabSiteOptions, pushBlob, startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';

const MANIFEST = '/v2/library/app/manifests/1';
const NOBODY = '/v2/library/none/manifests/1';

/** An edge without canaries that starts while the primary has a fault. */
async function startDuring(t: Test, fault: FaultName | undefined, options: LabSiteOptions = {}) {
  const site = await startLabSite(t, { canary: false, ...options });
  if (fault) await site.primary.faults.on(fault);
  const edge = await startEdgeInProcess(t, site.config);
  const proof = (name: string) => edge.app.status().upstreams.find((one) => one.name === name)?.urls[0]?.proof.state;
  return { primary: site.primary, fallback: site.fallback, image: site.image, config: site.config, edge, proof };
}

t.test('an edge that starts while the storage of the primary is not mounted', async (t) => {
  const { primary, edge, image, proof } = await startDuring(t, 'storageGone');
  const client = edge.http1();
  t.equal(proof('harbor'), 'unproven');
  t.equal(proof('gcr'), 'proven');
  const pulled = await client.ask(MANIFEST);
  t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'gcr', 'docker-content-digest': image.digest } });
  t.match(pulled.headers.warning, /harbor is not available \(unproven\)/);
  t.equal((await client.ask(`/v2/library/app/blobs/${image.blobDigests[0]}`)).status, 200);
  const missing = await client.ask(NOBODY);
  t.equal(missing.status, 503, 'the primary may have it');
  t.match(missing.body.toString(), /gcr does not have library\/none:1; harbor, which may, shows no content/);
  const tags = await client.ask('/v2/library/none/tags/list');
  t.equal(tags.status, 503, 'nor is a list of tags missing for sure');
  const catalog = await client.ask('/v2/_catalog');
  t.match(catalog, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, 'the fallback lists what it has');
  t.match(catalog.headers.warning, /harbor: unproven/);

  const written = primary.writes;
  const refused = await pushBlob(client, 'library/app', Buffer.from('into the void'));
  t.match({ status: refused.status, code: codeOf(refused) }, { status: 403, code: 'DENIED' });
  t.match(refused.body.toString(), /it lists no repositories, so its storage may be missing/);
  t.match(refused.body.toString(), /breakwater canary push harbor/);
  t.match(refused.body.toString(), /upstreams\.harbor\.probe\.allowEmpty/);
  t.equal((await client.ask(MANIFEST, { method: 'DELETE' })).status, 403);
  t.equal(primary.writes, written, 'no write has reached it');
  const head = await client.ask(`/v2/library/app/blobs/${image.blobDigests[0]}`, { method: 'HEAD' });
  t.equal(head.status, 200, 'no push can come of what the fallback has');
  t.strictSame(
    edge.app.status().upstreams[0]?.urls[0]?.breakers.control,
    'closed',
    'a 404 is no failure of the upstream',
  );

  await primary.faults.off();
  await until(() => proof('harbor') === 'proven');
  t.match(await client.ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
  t.equal((await client.ask(NOBODY)).status, 404);
  t.equal((await pushBlob(client, 'library/app', Buffer.from('onto the NAS'))).status, 201);
});

t.test('the empty catalog of a registry whose storage went after content was seen', async (t) => {
  const { primary, edge, proof } = await startDuring(t, undefined);
  t.equal(proof('harbor'), 'proven');
  await primary.faults.on('storageGone');
  const catalog = await edge.http1().ask('/v2/_catalog');
  t.match(catalog, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' }, body: /library\/app/ });
  t.match(catalog.headers.warning, /harbor/);
});

t.test('what was seen stays known over a reload, and is looked for again where the upstream changed', async (t) => {
  const { primary, edge, config, proof } = await startDuring(t, undefined);
  t.equal(proof('harbor'), 'proven');
  await primary.faults.on('storageGone');
  await edge.reload({ ...config, manifests: { tagFreshness: '1ms' } });
  t.equal(proof('harbor'), 'proven', 'the same upstream');
  const { upstreams } = config as { upstreams: Record<string, object> };
  await edge.reload({ ...config, upstreams: { ...upstreams, harbor: { ...upstreams.harbor, hedge: { share: 0 } } } });
  t.equal(proof('harbor'), 'unproven');
});

t.test('content that a client reads shows as much as a list', async (t) => {
  const { primary, edge, proof } = await startDuring(t, 'storageGone', { harbor: { probe: RARE_PROBE } });
  t.equal(proof('harbor'), 'unproven');
  await primary.faults.off();
  const client = edge.http1();
  t.match(await client.ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
  t.equal(proof('harbor'), 'proven');
  await edge.pushes('harbor', true);
});

t.test('a registry that may be empty', async (t) => {
  const { edge, proof } = await startDuring(t, 'storageGone', { harbor: { probe: { ...PROBE, allowEmpty: true } } });
  t.equal(proof('harbor'), 'allowed');
  const client = edge.http1();
  t.match(await client.ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.equal((await client.ask(NOBODY)).status, 404);
  t.equal((await pushBlob(client, 'library/app', Buffer.from('first'))).status, 201);
});

t.test('a new registry without a fallback says 404 itself, and takes no push before a canary', async (t) => {
  const { primary, edge } = await startDuring(t, 'storageGone', {
    route: { pull: [{ upstream: 'harbor', prefix: INNER }] },
  });
  const client = edge.http1();
  t.equal((await client.ask(MANIFEST)).status, 404, 'no other upstream may have it');
  const digest = `sha256:${'0'.repeat(64)}`;
  t.equal((await client.ask(`/v2/library/app/blobs/${digest}`, { method: 'HEAD' })).status, 404, 'so clients push');
  t.equal((await pushBlob(client, 'library/app', Buffer.from('new'))).status, 403);
  const catalog = await client.ask('/v2/_catalog');
  t.equal(catalog.status, 503, 'an empty catalog says more than one 404');
  t.match(catalog.body.toString(), /harbor shows no content/);
  await primary.faults.off();
  await edge.pushes('harbor', true);
  t.equal((await client.ask('/v2/_catalog')).status, 200);
});

t.test('an upstream whose list cannot be asked', async (t) => {
  const { primary } = await startLabSite(t, { canary: false });
  await primary.faults.on('errors', { kind: 'catalog', status: 405 });
  const edge = await startEdgeInProcess(t, {
    upstreams: { harbor: { urls: [primary.url], probe: PROBE } },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor', prefix: INNER }] }],
  });
  const state = () => edge.app.status().upstreams[0]?.urls[0]?.proof;
  t.match(state(), { state: 'unknown', reason: 'its catalog answers 405' });
  const client = edge.http1();
  t.equal((await client.ask(NOBODY)).status, 404, 'it is alone');
  t.equal((await pushBlob(client, 'library/app', Buffer.from('x'))).status, 201, 'pushes are admitted');
  t.equal((await client.ask(MANIFEST)).status, 200);
  t.match(state(), { state: 'proven' });
});
