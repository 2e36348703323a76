import t, { type Test } from 'tap';
import { madeUp } from '../../../src/lab/seed.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import {
  codeOf,
  INNER,
  type LabSite,
  MANIFEST_TYPE,
  manifestOf,
  sha256,
  startLabSite,
} from '../../helpers/lab-site.ts';

const APP = '/v2/library/app';

t.test('the endpoints that read, over both protocol versions', async (t) => {
  const site = await startLabSite(t);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    await t.test(client.version, async (t) => {
      await ping(t, client);
      await manifests(t, client, site);
      await blobs(t, client, site);
      await ranges(t, client, site);
      await conditions(t, client, site);
      await absences(t, client);
    });
  }
});

async function ping(t: Test, client: Client): Promise<void> {
  for (const path of ['/v2/', '/v2']) {
    for (const method of ['GET', 'HEAD']) {
      const reply = await client.ask(path, { method });
      t.match(
        reply,
        { status: 200, headers: { 'docker-distribution-api-version': 'registry/2.0' } },
        `${method} ${path}`,
      );
    }
  }
}

async function manifests(t: Test, client: Client, site: LabSite): Promise<void> {
  const { image } = site;
  for (const reference of ['1', image.digest]) {
    const expected = {
      status: 200,
      complete: true,
      headers: {
        'content-type': MANIFEST_TYPE,
        'content-length': String(image.manifest.length),
        'docker-content-digest': image.digest,
        etag: `"${image.digest}"`,
        'docker-distribution-api-version': 'registry/2.0',
        'x-breakwater-upstream': 'harbor',
        warning: undefined,
      },
    };
    const got = await client.ask(`${APP}/manifests/${reference}`);
    t.match(got, expected, `GET ${reference}`);
    t.same(got.body, image.manifest, 'byte for byte');
    const head = await client.ask(`${APP}/manifests/${reference}`, { method: 'HEAD' });
    t.match(head, expected, `HEAD ${reference} keeps length, type and digest`);
    t.equal(head.body.length, 0, 'and has no body');
    for (const reply of [got, head]) t.equal(site.leak(reply), undefined, 'nothing of the upstream shows');
  }
}

async function blobs(t: Test, client: Client, site: LabSite): Promise<void> {
  const digest = site.blob();
  const expected = {
    status: 200,
    complete: true,
    headers: {
      'content-length': '300000',
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
    },
  };
  const got = await client.ask(`${APP}/blobs/${digest}`);
  t.match(got, expected, 'GET blob');
  t.equal(sha256(got.body), digest, 'the right bytes');
  const head = await client.ask(`${APP}/blobs/${digest}`, { method: 'HEAD' });
  t.match(head, expected, 'HEAD blob');
  t.equal(head.body.length, 0);
  for (const reply of [got, head]) t.equal(site.leak(reply), undefined, 'nothing of the upstream shows');
}

async function ranges(t: Test, client: Client, site: LabSite): Promise<void> {
  const whole = madeUp(300_000, 0);
  const rows: [range: string, first: number, end: number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=10-99', 10, 100],
    ['bytes=299990-', 299_990, 300_000],
    ['bytes=-7', 299_993, 300_000],
    ['bytes=299999-300000', 299_999, 300_000],
  ];
  for (const [range, first, end] of rows) {
    const reply = await client.ask(`${APP}/blobs/${site.blob()}`, { headers: { range } });
    t.match(reply, { status: 206, headers: { 'content-range': `bytes ${first}-${end - 1}/300000` } }, range);
    t.same(reply.body, whole.subarray(first, end), `${range} has these bytes`);
  }
  const beyond = await client.ask(`${APP}/blobs/${site.blob()}`, { headers: { range: 'bytes=300000-' } });
  t.match(beyond, { status: 416, headers: { 'content-range': 'bytes */300000' } }, 'beyond the end');
  const manifest = await client.ask(`${APP}/manifests/1`, { headers: { range: 'bytes=0-' } });
  t.match(manifest, { status: 200, body: site.image.manifest }, 'a range of a manifest is the whole of it');
}

async function conditions(t: Test, client: Client, site: LabSite): Promise<void> {
  for (const path of [`${APP}/manifests/1`, `${APP}/blobs/${site.blob()}`]) {
    for (const method of ['GET', 'HEAD']) {
      const etag = path.includes('blobs') ? `"${site.blob()}"` : `"${site.image.digest}"`;
      const same = await client.ask(path, { method, headers: { 'if-none-match': etag } });
      t.match(same, { status: 304, complete: true, headers: { etag } }, `${method} ${path} not modified`);
      t.notOk(same.headers['content-length'] === '0', 'no length that would be wrong (RFC 9110 section 15.4.5)');
      const other = await client.ask(path, { method, headers: { 'if-none-match': '"sha256:other"' } });
      t.equal(other.status, 200, `${method} ${path} modified`);
    }
  }
}

async function absences(t: Test, client: Client): Promise<void> {
  const nowhere = sha256('nowhere');
  const rows: [path: string, code: string][] = [
    [`${APP}/manifests/nowhere`, 'MANIFEST_UNKNOWN'],
    [`${APP}/manifests/${nowhere}`, 'MANIFEST_UNKNOWN'],
    [`${APP}/blobs/${nowhere}`, 'BLOB_UNKNOWN'],
    ['/v2/library/nowhere/tags/list', 'NAME_UNKNOWN'],
  ];
  for (const [path, code] of rows) {
    const reply = await client.ask(path);
    t.match(reply, { status: 404, complete: true, headers: { 'content-type': 'application/json' } }, path);
    t.equal(codeOf(reply), code);
    const head = await client.ask(path, { method: 'HEAD' });
    t.match(head, { status: 404, complete: true }, `HEAD ${path}`);
    t.equal(head.body.length, 0);
  }
}

t.test('Accept goes as it came, and encodings are not asked for', async (t) => {
  const { edge, primary } = await startLabSite(t);
  const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json;q=0.9';
  for (const client of [edge.http1(), edge.http2()]) {
    primary.forget();
    await client.ask(`${APP}/manifests/1`, {
      headers: { accept, 'accept-encoding': 'zstd, gzip', 'user-agent': 'crane/1', cookie: 'sid=1', 'x-odd': '1' },
    });
    const seen = primary.requests.find(({ url, headers }) => url.includes('library/app') && headers['user-agent']);
    t.match(seen?.headers, { accept, 'accept-encoding': 'identity', 'user-agent': 'crane/1' }, client.version);
    t.match(seen?.headers, { cookie: undefined, 'x-odd': undefined }, 'nothing else of the client');
  }
});

t.test('referrers', async (t) => {
  const site = await startLabSite(t, { primary: { pageSize: 2 } });
  const { primary, edge, image } = site;
  const config = Buffer.from('{}');
  primary.store.addBlob(`${INNER}library/app`, config);
  const subjects = [0, 1, 2, 3, 4].map((number) => {
    const manifest = { ...JSON.parse(manifestOf(config).toString()), artifactType: 'test/x' };
    const bytes = Buffer.from(JSON.stringify({ ...manifest, annotations: { number: String(number) } }));
    primary.store.keepManifest(`${INNER}library/app`, sha256(bytes), {
      mediaType: MANIFEST_TYPE,
      bytes,
      subject: image.digest,
      artifactType: number === 0 ? 'test/y' : 'test/x',
    });
    return sha256(bytes);
  });
  for (const client of [edge.http1(), edge.http2()]) {
    const found: string[] = [];
    let path: string | undefined = `${APP}/referrers/${image.digest}`;
    while (path) {
      const reply: Reply = await client.ask(path);
      t.equal(reply.status, 200);
      t.equal(site.leak(reply), undefined, 'nothing of the upstream shows');
      const index: { manifests: { digest: string }[] } = JSON.parse(reply.body.toString());
      found.push(...index.manifests.map(({ digest }) => digest));
      path = /^<(\/v2\/library\/app\/referrers\/[^>]+)>; rel="next"$/.exec(String(reply.headers.link ?? ''))?.[1];
    }
    t.same(found.sort(), subjects.sort(), 'complete over all pages');
    const filtered = await client.ask(`${APP}/referrers/${image.digest}?artifactType=test/y`);
    t.equal(filtered.headers['oci-filters-applied'], 'artifactType');
    t.equal(JSON.parse(filtered.body.toString()).manifests.length, 1);
    const none = await client.ask(`${APP}/referrers/${sha256('none')}`);
    t.equal(none.status, 200, 'never 404');
  }
});
