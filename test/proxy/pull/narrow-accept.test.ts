import t from 'tap';
import { EVERY_MANIFEST } from '../../helpers/http1-client.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { tagWarning } from './ledger-site.ts';
import { type Answer, asksFirst, lineFor, type PacedSite, startPacedSite, status } from './paced-upstream.ts';

// A registry answers a tag by the client's Accept, as docker-registry 2.8 does: the ledger must not believe what it got for a narrow one.

const IMAGE = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const BY_TAG = '/v2/app/manifests/1';
const CHILD = Buffer.from(`{"schemaVersion":2,"mediaType":"${IMAGE}","config":{},"layers":[]}`);
const OLD_CHILD = Buffer.from(`{"schemaVersion":2,"mediaType":"${IMAGE}","config":{"old":1},"layers":[]}`);
const listOf = (child: Buffer) =>
  Buffer.from(
    `{"schemaVersion":2,"mediaType":"${LIST}","manifests":[{"mediaType":"${IMAGE}","digest":"${sha256(child)}","size":${child.length}}]}`,
  );
const NARROW: (string | undefined)[] = [
  IMAGE,
  '*/*',
  '',
  `${IMAGE}, */*`,
  `${EVERY_MANIFEST.replace(LIST, `${LIST};q=0`)}`,
  `${IMAGE}, ${OCI}`,
];

/** Answers the tag as docker-registry 2.8 does: the list to clients that name it, otherwise its child. */
function convert(child = CHILD): Answer {
  return (req, res) => {
    const accept = req.headers.accept ?? '';
    const takesList = accept.includes(LIST) && !accept.includes(`${LIST};q=0`);
    const list = takesList || req.url?.includes(sha256(listOf(child)));
    const [bytes, type] = list ? [listOf(child), LIST] : [child, IMAGE];
    res.writeHead(200, {
      'content-type': type,
      'docker-content-digest': sha256(bytes),
      'content-length': bytes.length,
    });
    res.end(req.method === 'HEAD' ? undefined : bytes);
  };
}

/** Answers like a registry with an OCI manifest, which it does not convert. */
const onlyOci: Answer = (req, res) => {
  if (req.headers.accept?.includes(OCI)) {
    const bytes = Buffer.from(`{"schemaVersion":2,"mediaType":"${OCI}","config":{},"layers":[]}`);
    res.writeHead(200, { 'content-type': OCI, 'docker-content-digest': sha256(bytes), 'content-length': bytes.length });
    return res.end(req.method === 'HEAD' ? undefined : bytes);
  }
  const message = 'OCI manifest found, but accept header does not support OCI manifests';
  res.writeHead(404, { 'content-type': 'application/json' });
  return res.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message, detail: {} }] }));
};

const QUIET = { all: { hedge: { share: 0 } } };

/** Waits until the ledger has the tag at this digest. */
async function knows({ edge }: PacedSite, digest: string, tag = '1'): Promise<void> {
  let told = '';
  await until(
    async () => {
      told = (await edge.admin(`/api/explain?image=app:${tag}`)).body;
      return told.includes(digest);
    },
    { what: () => `the ledger to know ${digest}: ${told}` },
  );
}

for (const accept of NARROW) {
  t.test(`a client with Accept: ${accept === '' ? 'nothing' : accept?.slice(0, 90)}`, async (t) => {
    const site = await startPacedSite(t, QUIET);
    site.harbor.answer = convert();
    site.gcr.answer = convert();
    const client = site.edge.http1();
    const before = site.harbor.asked;
    const narrow = await client.ask(BY_TAG, { headers: { accept: accept ?? '' } });
    t.equal(sha256(narrow.body), sha256(CHILD), 'the client gets what the registry makes of it');
    await knows(site, sha256(listOf(CHILD)));
    t.equal(site.harbor.asked - before, 2, 'the edge looked itself');
    site.harbor.answer = status(500);
    const whole = await client.ask(BY_TAG);
    t.equal(sha256(whole.body), sha256(listOf(CHILD)), 'in an outage every other client gets the whole image');
    t.match(await lineFor(site.edge, whole), { tag: { verdict: 'current', action: 'served' } });
    const child = await client.ask(BY_TAG, { headers: { accept: accept ?? '' } });
    t.equal(sha256(child.body), sha256(CHILD), 'and this one the part that it asked for');
    t.match(await lineFor(site.edge, child), { tag: { verdict: 'current', action: 'served' } });
    t.equal(tagWarning(child), undefined);
  });
}

t.test('the tag of a fallback that is older, for a client with a narrow Accept', async (t) => {
  const site = await startPacedSite(t, QUIET);
  site.harbor.answer = convert();
  const client = site.edge.http1();
  await client.ask(BY_TAG);
  for (const upstream of [site.gcr, site.quay])
    upstream.answer = (req, res) =>
      req.url === BY_TAG ? convert(OLD_CHILD)(req, res) : status(404, { 'content-type': 'application/json' })(req, res);
  site.harbor.answer = status(500);
  const before = site.gcr.asked;
  const replies = await Promise.all([1, 2, 3].map(() => client.ask(BY_TAG, { headers: { accept: IMAGE } })));
  for (const reply of replies) {
    t.equal(sha256(reply.body), sha256(OLD_CHILD), 'the body is what the client asked for');
    t.match(tagWarning(reply), new RegExp(`^tag 1 at gcr is ${sha256(listOf(OLD_CHILD))}, which harbor was not seen`));
  }
  t.ok(site.gcr.asked - before <= 6, `${site.gcr.asked - before} requests: the look is shared`);
  const pinned = await client.ask(`/v2/app/manifests/${sha256(OLD_CHILD)}`, { headers: { accept: IMAGE } });
  t.notOk(tagWarning(pinned), 'a read by digest has nothing to compare');
});

t.test('an OCI manifest that is asked for without its type is not deleted', async (t) => {
  const site = await startPacedSite(t, QUIET);
  site.harbor.answer = onlyOci;
  site.gcr.answer = onlyOci;
  site.quay.answer = onlyOci;
  const client = site.edge.http1();
  const known = await client.ask(BY_TAG);
  for (const accept of [IMAGE, '*/*', '']) {
    const reply = await client.ask(BY_TAG, { headers: { accept } });
    t.match(reply, { status: 404 }, accept);
    t.match(
      reply.body.toString(),
      /OCI manifest found, but accept header does not support OCI manifests/,
      'as it was told',
    );
  }
  t.match(await client.ask(`/v2/app/manifests/${sha256(known.body)}`, { headers: { accept: IMAGE } }), { status: 404 });
  site.harbor.answer = status(500);
  const reply = await client.ask(BY_TAG);
  t.match(await lineFor(site.edge, reply), { status: 200, tag: { verdict: 'current', action: 'served' } });
});

t.test('a tag that is gone is noted by the edge’s own look, at most once in ten seconds', async (t) => {
  const site = await startPacedSite(t, QUIET);
  site.harbor.answer = onlyOci;
  site.gcr.answer = onlyOci;
  const client = site.edge.http1();
  await client.ask(BY_TAG);
  site.harbor.answer = status(404);
  const before = site.harbor.asked;
  for (let count = 0; count < 5; count += 1)
    t.equal((await client.ask(BY_TAG, { headers: { accept: IMAGE } })).status, 404);
  await until(async () => /"digest":\s*null/.test((await site.edge.admin('/api/explain?image=app:1')).body), {
    what: () => 'the ledger to know that the tag is gone',
  });
  t.equal(site.harbor.asked - before, 6, 'five times for the client, once for the ledger');
  for (let count = 0; count < 5; count += 1) await client.ask('/v2/app/manifests/none', { headers: { accept: IMAGE } });
  t.equal(site.harbor.asked - before, 11, 'a tag that the ledger does not know is not looked at');
  site.harbor.answer = status(500);
  t.match(tagWarning(await client.ask(BY_TAG)), /deleted: harbor has not had the tag since/);
});

t.test('a hedge for a client with a narrow Accept', async (t) => {
  const site = await startPacedSite(t);
  site.harbor.answer = convert();
  site.gcr.answer = convert();
  const client = site.edge.http1();
  await client.ask(BY_TAG);
  await asksFirst(site);
  site.harbor.pace = timeLimit(300);
  const narrow = await client.ask(BY_TAG, { headers: { accept: IMAGE } });
  t.match(narrow, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } }, 'its part confirms nothing');
  await asksFirst(site);
  const whole = await client.ask(BY_TAG);
  t.match(whole, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, 'the index is confirmed');
});

/** A registry that keeps what is pushed to it, and converts lists. */
class ConvertingRegistry {
  /** The child of the list that each tag is at. */
  tags = new Map<string, typeof CHILD>();

  readonly answer: Answer = async (req, res) => {
    const reference = req.url?.split('/').at(-1) ?? '';
    if (req.method === 'PUT') {
      const body = Buffer.concat(await req.toArray());
      const child = [CHILD, OLD_CHILD].find((one) => listOf(one).equals(body)) ?? CHILD;
      this.tags.set(reference, child);
      return res
        .writeHead(201, { location: `/v2/app/manifests/${sha256(body)}`, 'docker-content-digest': sha256(body) })
        .end();
    }
    const isAt = (child: Buffer) => [sha256(listOf(child)), sha256(child)].includes(reference);
    const child = this.tags.get(reference) ?? [...this.tags.values()].find(isAt);
    return child ? convert(child)(req, res) : status(404)(req, res);
  };
}

t.test('a tag that went back with a restored primary, for a client with a narrow Accept', async (t) => {
  const site = await startPacedSite(t, QUIET);
  const registry = new ConvertingRegistry();
  site.harbor.answer = registry.answer;
  site.gcr.answer = convert();
  site.quay.answer = status(404);
  const client = site.edge.http1();
  const pull = () => client.ask(BY_TAG, { headers: { accept: IMAGE } });
  const push = async (tag: string, child: Buffer) => {
    const headers = { 'content-type': LIST };
    const reply = await client.ask(`/v2/app/manifests/${tag}`, { method: 'PUT', headers, body: listOf(child) });
    t.equal(reply.status, 201);
  };
  await push('1', OLD_CHILD);
  const snapshot = new Map(registry.tags);
  await push('1', CHILD);
  await push('2', CHILD);
  t.equal(sha256((await pull()).body), sha256(CHILD));
  const before = site.harbor.asked;
  t.equal(sha256((await pull()).body), sha256(CHILD));
  t.equal(site.harbor.asked, before + 1, 'what this client gets of the push is known now');

  registry.tags = snapshot;
  const kept = await pull();
  t.match(kept, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.equal(sha256(kept.body), sha256(CHILD), 'the first client already gets the tag as it was');
  t.match(tagWarning(kept), /harbor has lost content/);
  site.gcr.answer = status(404);
  const old = await pull();
  t.equal(sha256(old.body), sha256(OLD_CHILD));
  t.match(tagWarning(old), /harbor has lost content .* no other upstream shows sha256:\w+ to this client/);
});
