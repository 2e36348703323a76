import t, { type Test } from 'tap';
import { RARE_PROBE } from '../../helpers/edge-in-process.ts';
import { basic, bearer, KEY, probe } from '../../helpers/forward-site.ts';
import {
  CLOUD,
  clientRequests,
  codeOf,
  INNER,
  type LabSite,
  type LabSiteOptions,
  MANIFEST_TYPE,
  sha256,
  startLabSite,
} from '../../helpers/lab-site.ts';
import { entriesOf, INDEX_TYPE, ReferrersClient } from '../../helpers/referrers-client.ts';
import { until } from '../../helpers/until.ts';

// While pushes are admitted, the primary alone says which referrers there are, and whether it lists them at all: a client that gets a list
// writes no index of its own. Otherwise the fallback answers in its place.

const NOTHING = { digest: sha256('nothing') };

interface Start extends LabSiteOptions {
  /** Whether they have the API. */
  primaryHas?: boolean;
  fallbackHas?: boolean;
}

async function start(t: Test, { primaryHas = true, fallbackHas = true, ...options }: Start = {}) {
  const site = await startLabSite(t, {
    ...options,
    primary: { referrers: primaryHas, ...options.primary },
    fallback: { referrers: fallbackHas, ...options.fallback },
  });
  const client = new ReferrersClient(site.edge.http1(), 'library/app');
  return { site, client };
}

/** Keeps manifests that refer to the image, past the edge. @returns their digests in the order of lists */
function keep({ primary, fallback, image }: LabSite, where: 'primary' | 'fallback', ...types: string[]): string[] {
  const [registry, repository] = where === 'primary' ? [primary, INNER] : [fallback, CLOUD];
  return types
    .map((artifactType) => {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, artifactType }));
      const kept = { mediaType: MANIFEST_TYPE, bytes, subject: image.digest, artifactType };
      registry.store.keepManifest(`${repository}library/app`, sha256(bytes), kept);
      return sha256(bytes);
    })
    .sort();
}

/** Keeps an index under the tag of the image. */
function keepIndex({ primary, fallback, image }: LabSite, where: 'primary' | 'fallback', manifests: unknown): void {
  const [registry, repository] = where === 'primary' ? [primary, INNER] : [fallback, CLOUD];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
  const name = `${repository}library/app`;
  registry.store.keepManifest(name, sha256(bytes), { mediaType: INDEX_TYPE, bytes });
  registry.store.setTag(name, image.digest.replace(':', '-'), sha256(bytes));
}

const entry = (digest: string, artifactType = 'a/x') => ({ mediaType: MANIFEST_TYPE, digest, size: 2, artifactType });

async function learn(site: LabSite, support: 'has' | 'lacks'): Promise<void> {
  await until(() => site.edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.referrers === support);
}

async function outage(site: LabSite): Promise<void> {
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
}

for (const onAbsent of ['stop', 'next']) {
  t.test(`the 404 of the primary, with onAbsent: ${onAbsent}`, async (t) => {
    const { site, client } = await start(t, { primaryHas: false, route: { onAbsent } });
    keep(site, 'fallback', 'a/sbom');
    for (const method of ['GET', 'HEAD']) {
      const reply = await client.ask(site.image, '', method);
      t.equal(reply.status, 404, method);
      t.notOk(reply.headers.warning);
    }
    t.equal(
      codeOf(await client.ask(site.image)),
      'MANIFEST_UNKNOWN',
      'not NAME_UNKNOWN: clients then say that there is no such repository',
    );
    t.strictSame(clientRequests(site.fallback), []);
  });
}

t.test('a primary that is slow, or fails for this request', async (t) => {
  const { site, client } = await start(t, { primaryHas: false, harbor: { hedge: { floor: '20ms', share: 100 } } });
  keep(site, 'fallback', 'a/sbom');
  await site.primary.faults.on('delay', { kind: 'referrers', ms: 300 });
  t.equal((await client.ask(site.image)).status, 404, 'slow');
  await site.primary.faults.off('delay');
  await site.primary.faults.on('errors', { kind: 'referrers', status: 500 });
  t.equal((await client.ask(site.image)).status, 503, 'a list of the fallback could end the index');
  t.strictSame(clientRequests(site.fallback), []);
});

t.test('a primary that is known to list referrers, and fails for this request', async (t) => {
  const { site, client } = await start(t);
  const copies = keep(site, 'fallback', 'a/sbom');
  await learn(site, 'has');
  await site.primary.faults.on('errors', { kind: 'referrers', status: 500 });
  const reply = await client.ask(site.image);
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr', warning: /served by gcr/ } });
  t.strictSame(
    entriesOf(reply).map(({ digest }) => digest),
    copies,
  );
});

t.test('the primary itself, while it is read-only', async (t) => {
  const harbor = { probe: { kind: 'harbor' } };
  const { site, client } = await start(t, { primary: { harbor: true }, harbor, primaryHas: false });
  const [one = ''] = keep(site, 'fallback', 'a/sbom');
  keepIndex(site, 'fallback', [entry(one)]);
  await site.primary.faults.on('readOnly');
  await site.edge.pushes('harbor', false);
  t.equal((await client.ask(site.image)).status, 404, 'its index is there, too');
  await site.primary.faults.on('errors', { kind: 'referrers', status: 500 });
  t.match(await client.ask(site.image), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
});

t.test('the very first moment of an outage', async (t) => {
  for (const fallbackHas of [true, false]) {
    const { site, client } = await start(t, { fallbackHas, harbor: { probe: RARE_PROBE } });
    const copies = keep(site, 'fallback', 'a/sbom');
    if (!fallbackHas)
      keepIndex(
        site,
        'fallback',
        copies.map((digest) => entry(digest)),
      );
    await site.primary.faults.on('down');
    const reply = await client.ask(site.image);
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    t.strictSame(
      entriesOf(reply).map(({ digest }) => digest),
      copies,
    );
  }
});

t.test('an outage of a primary without the API: what clients removed from the index is not listed', async (t) => {
  const { site, client } = await start(t, { primaryHas: false });
  await learn(site, 'lacks');
  const [one = ''] = keep(site, 'fallback', 'a/sbom', 'a/signature');
  await outage(site);
  site.fallback.forget();
  t.equal((await client.ask(site.image)).status, 404, 'there is no index');
  keepIndex(site, 'fallback', [entry(one)]);
  for (const method of ['GET', 'HEAD']) {
    const reply = await client.ask(site.image, '', method);
    t.match(reply, { status: 200, headers: { 'content-type': INDEX_TYPE, 'x-breakwater-upstream': 'gcr' } });
    t.equal(Number(reply.headers['content-length']) > 100, true);
    if (method === 'GET') t.strictSame(entriesOf(reply), [entry(one)]);
    t.equal(site.leak(reply), undefined);
  }
  t.notOk(site.fallback.requests.some(({ kind }) => kind === 'referrers'));
  site.fallback.store.setTag(`${CLOUD}library/app`, site.image.digest.replace(':', '-'), site.image.digest);
  t.equal((await client.ask(site.image)).status, 404, 'an image under that tag is no index');
});

t.test('an outage of a primary of which nothing is known', async (t) => {
  const { site, client } = await start(t, { harbor: { probe: { canary: undefined } } });
  t.equal(site.edge.app.status().upstreams[0]?.referrers, 'unknown', 'it has no canary');
  const [one = ''] = keep(site, 'fallback', 'a/sbom');
  await outage(site);
  const none = await client.ask(NOTHING, '?artifactType=a/x');
  t.match(none, { status: 200, headers: { 'content-type': INDEX_TYPE } });
  t.strictSame(entriesOf(none), []);
  t.strictSame(
    entriesOf(await client.ask(site.image)).map(({ digest }) => digest),
    [one],
  );
  site.fallback.store.removeManifest(`${CLOUD}library/app`, one);
  keepIndex(site, 'fallback', [entry(one)]);
  t.strictSame(
    entriesOf(await client.ask(site.image)),
    [entry(one)],
    'an empty list of the fallback is not the last word',
  );
  await site.fallback.faults.on('down');
  t.equal((await client.ask(site.image)).status, 503, 'nothing can be asked');
  await site.fallback.faults.off('down');
  await site.primary.faults.off('down');
  await site.fallback.faults.on('errors', { status: 500 });
  await until(async () => (await client.ask(site.image)).headers['x-breakwater-upstream'] === 'harbor');
});

t.test('pages of an index', async (t) => {
  const { site, client } = await start(t, { fallbackHas: false });
  const all = Array.from({ length: 2300 }, (_, number) => entry(sha256(String(number)), number % 2 ? 'a/x' : 'a/y'));
  keepIndex(site, 'fallback', all);
  await outage(site);
  const read = async (query: string) => {
    const sizes: number[] = [];
    const found: object[] = [];
    for (let next: string | undefined = query; next !== undefined; ) {
      const reply = await client.ask(site.image, next);
      t.equal(site.leak(reply), undefined);
      found.push(...entriesOf(reply));
      sizes.push(entriesOf(reply).length);
      const link = String(reply.headers.link ?? '');
      next =
        link && new RegExp(`^</v2/library/app/referrers/${site.image.digest}([^>]+)>; rel="next"$`).exec(link)?.[1];
      next ||= undefined;
    }
    return { sizes, found };
  };
  t.strictSame(await read(''), { sizes: [1000, 1000, 300], found: all });
  t.strictSame((await read('?n=900&artifactType=a/x')).sizes, [900, 250]);
  t.strictSame(
    (await read('?artifactType=a/y')).found,
    all.filter(({ artifactType }) => artifactType === 'a/y'),
  );
});

t.test('a tag of an index that went back is told', async (t) => {
  const { site, client } = await start(t, { primaryHas: false, fallbackHas: false });
  await learn(site, 'lacks');
  keepIndex(site, 'fallback', [entry(sha256('one'))]);
  t.equal((await client.putIndex(site.image, [])).status, 201, 'a newer one, which is not copied');
  await outage(site);
  const reply = await client.ask(site.image);
  t.match(reply, { status: 200, headers: { warning: /was not seen to have.*served by gcr/ } });
});

t.test('OCI-Subject shows that the primary has the API', async (t) => {
  const { site, client } = await start(t, { harbor: { probe: { canary: undefined } } });
  const subject = { mediaType: MANIFEST_TYPE, digest: site.image.digest, size: site.image.manifest.length };
  const bytes = Buffer.from(JSON.stringify({ ...JSON.parse(site.image.manifest.toString()), subject }));
  t.equal((await client.put(sha256(bytes), bytes, MANIFEST_TYPE)).status, 201);
  t.equal(site.edge.app.status().upstreams[0]?.referrers, 'has');
});

t.test('OCI-Subject of a push is that of the primary', async (t) => {
  for (const primaryHas of [true, false]) {
    const { site, client } = await start(t, { primaryHas, fallbackHas: !primaryHas });
    const subject = { mediaType: MANIFEST_TYPE, digest: site.image.digest, size: site.image.manifest.length };
    const bytes = Buffer.from(JSON.stringify({ ...JSON.parse(site.image.manifest.toString()), subject }));
    const put = await client.put(sha256(bytes), bytes, MANIFEST_TYPE);
    t.match(put, { status: 201, headers: { 'oci-subject': primaryHas ? site.image.digest : undefined } });
  }
});

t.test('a client whose rights are remembered, while the authority is down', async (t) => {
  const ann = basic('ann', 'Tr0ub4dor&3');
  const users = [
    { username: 'ann', password: 'Tr0ub4dor&3' },
    { username: 'robot$probe', password: 'pr0be-secret' },
  ];
  for (const primaryHas of [true, false]) {
    const { site } = await start(t, {
      primaryHas,
      primary: { harbor: true, auth: { scheme: 'bearer', users } },
      harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
      fallback: {
        auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] },
      },
      gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
      settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
      config: { auth: { mode: 'delegate' } },
    });
    const client = site.edge.http1();
    const copies = keep(site, 'fallback', 'a/sbom');
    const list = async (actions = 'pull', digest = site.image.digest) => {
      const query = new URLSearchParams({ service: 'edge.test', scope: `repository:library/app:${actions}` });
      const token = await client.ask(`/auth/token?${query}`, { headers: { authorization: ann } });
      return client.ask(`/v2/library/app/referrers/${digest}`, { headers: { authorization: bearer(token) } });
    };
    t.equal((await client.ask(`/v2/library/app/referrers/${site.image.digest}`)).status, 401, 'a stranger');
    t.equal((await list()).status, primaryHas ? 200 : 404);
    await until(() => site.edge.app.status().upstreams[0]?.referrers === (primaryHas ? 'has' : 'lacks'));
    await site.primary.faults.on('errors', { kind: 'referrers', status: 500 });
    t.equal((await list('pull')).status, primaryHas ? 200 : 503);
    t.equal((await list('pull,push')).status, 503, 'a client that may push gets the answer of the primary alone');
    await outage(site);
    t.equal((await client.ask(`/v2/library/app/referrers/${site.image.digest}`)).status, 401, 'a stranger, now');
    if (!primaryHas) t.equal((await list()).status, 404, 'no index');
    if (!primaryHas)
      keepIndex(
        site,
        'fallback',
        copies.map((digest) => entry(digest)),
      );
    const reply = await list();
    t.strictSame(
      entriesOf(reply).map(({ digest }) => digest),
      copies,
    );
  }
});
