import t from 'tap';
import { CLOUD, codeOf, INNER, MANIFEST_TYPE, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';
import { tagWarning } from '../pull/ledger-site.ts';
import { asksFirst, lineFor, MANIFEST, startPacedSite, status } from '../pull/paced-upstream.ts';

// A push by digest with tags beside it (distribution-spec 1.2): each tag that the upstream says it made is pushed like any other.

const TYPE = { 'content-type': MANIFEST_TYPE };
const PULL = [
  { upstream: 'harbor', prefix: INNER },
  { upstream: 'gcr', prefix: CLOUD, replicate: true },
];

t.test('each tag reaches the ledger, replication and the memory of tags', async (t) => {
  const site = await startLabSite(t, { route: { pull: PULL }, config: { manifests: { tagFreshness: '1m' } } });
  const client = site.edge.http1();
  const other = site.primary.seed(`${INNER}library/app`, 'a', { blobs: [77] });
  t.equal((await client.ask('/v2/library/app/manifests/a')).headers['docker-content-digest'], other.digest);
  const { manifest, digest } = site.image;
  const path = `/v2/library/app/manifests/${digest}?tag=a&tag=b`;
  site.primary.forget();
  const reply = await client.ask(path, { method: 'PUT', body: manifest, headers: TYPE });
  t.match(reply, { status: 201, headers: { 'oci-tag': 'a, b' } });
  const [put] = site.primary.requests.filter(({ method }) => method === 'PUT');
  t.equal(put?.url, `/v2/${INNER}library/app/manifests/${digest}?tag=a&tag=b`, 'as it was sent');
  t.match(await lineFor(site.edge, reply), { hints: { from: 'edge', push: 3, delete: 0 } });
  for (const tag of ['a', 'b'])
    t.equal((await client.ask(`/v2/library/app/manifests/${tag}`)).headers['docker-content-digest'], digest, tag);
  const copied = () => site.fallback.store.repository(`${CLOUD}library/app`).tags;
  await until(() => copied().get('a') === digest && copied().get('b') === digest, {
    what: () => `both tags to be copied: ${JSON.stringify([...copied()])}`,
  });
});

t.test('a tag counts only if it was asked for and made', async (t) => {
  const site = await startPacedSite(t, { all: { hedge: { share: 0 } } });
  const client = site.edge.http1();
  const digest = sha256(MANIFEST);
  const put = (query: string) =>
    client.ask(`/v2/app/manifests/${digest}?${query}`, { method: 'PUT', body: MANIFEST, headers: TYPE });
  const rows: [query: string, headers: Record<string, string>, noted: string[], not: string[]][] = [
    ['tag=a&tag=b', { 'oci-tag': 'a,b' }, ['a', 'b'], []],
    ['tag=c&tag=d', { 'oci-tag': 'c, other' }, ['c'], ['d', 'other']],
    ['tag=e&tag=e', {}, [], ['e']],
    ['ns=edge.test&tag=f', { 'oci-tag': 'f' }, ['f'], []],
  ];
  for (const [query, headers, noted, not] of rows) {
    site.harbor.answer = status(201, { location: `/v2/app/manifests/${digest}`, ...headers });
    t.equal((await put(query)).status, 201, query);
    for (const [tags, verdict] of [
      [noted, 'current'],
      [not, 'unrecorded'],
    ] as const) {
      for (const tag of tags) {
        site.harbor.answer = status(500);
        const reply = await client.ask(`/v2/app/manifests/${tag}`);
        t.match(await lineFor(site.edge, reply), { upstream: 'gcr', tag: { verdict } }, `${query}: ${tag}`);
        t.equal(tagWarning(reply), undefined);
      }
    }
    await asksFirst(site);
    await site.edge.pushes('harbor', true);
  }
});

t.test('tags that are none, or too many', async (t) => {
  const site = await startPacedSite(t);
  const client = site.edge.http2();
  const put = (query: string) =>
    client.ask(`/v2/app/manifests/${sha256(MANIFEST)}?${query}`, { method: 'PUT', body: MANIFEST, headers: TYPE });
  for (const query of [
    'tag=',
    'tag=a%2Fb',
    'tag=a&tag=.b',
    `tag=${'x'.repeat(129)}`,
    `tag=sha256%3A${'a'.repeat(64)}`,
  ]) {
    const reply = await put(query);
    t.equal(reply.status, 400, query);
    t.equal(codeOf(reply), 'TAG_INVALID');
  }
  const many = (count: number) => Array.from({ length: count }, (_, index) => `tag=t${index}`).join('&');
  t.match(await put(many(65)), { status: 414 });
  t.equal(site.harbor.asked, 0, 'none of them was forwarded');
  site.harbor.answer = status(201, { 'docker-content-digest': sha256(MANIFEST) });
  t.match(await put(many(64)), { status: 201 });
});
