import t, { type Test } from 'tap';
import { madeUp } from '../../../src/lab/seed.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import {
  codeOf,
  INNER,
  type LabSite,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  sha256,
  startLabSite,
} from '../../helpers/lab-site.ts';

const SEALED = /^\/v2\/team\/new\/blobs\/uploads\/[A-Za-z0-9._-]+$/;
const UPLOADS = '/v2/team/new/blobs/uploads/';

for (const locations of ['relative', 'absolute'] as const) {
  t.test(`the endpoints that write, before a primary with ${locations} locations`, async (t) => {
    const site = await startLabSite(t, { primary: { locations } });
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      await t.test(client.version, async (t) => {
        const checked = checkedClient(t, site, client);
        await monolithic(t, checked, site);
        await chunked(t, checked);
        await mounts(t, checked, site);
        await manifests(t, checked, site);
        await refusals(t, checked);
        t.equal(site.fallback.writes, 0, 'nothing was written to the fallback');
      });
    }
  });
}

/** Looks at every reply for what is of the upstream only. */
function checkedClient(t: Test, site: LabSite, client: Client): Client {
  return {
    version: client.version,
    close: () => client.close(),
    async ask(path, ask): Promise<Reply> {
      const reply = await client.ask(path, ask);
      const leak = site.leak(reply);
      if (leak !== undefined) t.fail(`${ask?.method} ${path} shows ${leak}: ${JSON.stringify(reply.headers)}`);
      t.equal(reply.complete, true, `${ask?.method ?? 'GET'} is complete`);
      return reply;
    },
  };
}

async function monolithic(t: Test, client: Client, site: LabSite): Promise<void> {
  const bytes = madeUp(70_000, 1);
  const put = await pushBlob(client, 'team/new', bytes);
  t.match(put, {
    status: 201,
    headers: {
      location: `/v2/team/new/blobs/${sha256(bytes)}`,
      'docker-content-digest': sha256(bytes),
      'x-breakwater-upstream': 'harbor',
    },
  });
  t.ok(site.primary.store.blob(`${INNER}team/new`, sha256(bytes)), 'it is on the primary under its own path');
  const other = madeUp(5000, 2);
  const post = await client.ask(`${UPLOADS}?digest=${sha256(other)}`, { method: 'POST', body: other });
  t.match(post, { status: 201, headers: { location: `/v2/team/new/blobs/${sha256(other)}` } }, 'POST with the blob');
  t.ok(site.primary.store.blob(`${INNER}team/new`, sha256(other)));
}

async function chunked(t: Test, client: Client): Promise<void> {
  const bytes = madeUp(30_000, 3);
  const begun = await client.ask(UPLOADS, { method: 'POST' });
  t.match(begun, { status: 202, headers: { location: SEALED, range: '0-0', 'docker-upload-uuid': /./ } }, 'POST');
  let location = String(begun.headers.location);
  for (const [first, end] of [
    [0, 10_000],
    [10_000, 30_000],
  ] as const) {
    const headers = { 'content-range': `${first}-${end - 1}`, 'content-type': 'application/octet-stream' };
    const chunk = await client.ask(location, { method: 'PATCH', headers, body: bytes.subarray(first, end) });
    t.match(chunk, { status: 202, headers: { location: SEALED, range: `0-${end - 1}` } }, 'PATCH');
    location = String(chunk.headers.location);
  }
  const again = { 'content-range': '5-9' };
  const misplaced = await client.ask(location, { method: 'PATCH', headers: again, body: 'abcde' });
  t.match(misplaced, { status: 416, headers: { location: SEALED, range: '0-29999' } }, 'a chunk out of order');
  const state = await client.ask(location);
  t.match(state, { status: 204, headers: { location: SEALED, range: '0-29999' } }, 'GET of the session');
  const put = await client.ask(`${state.headers.location}?digest=${sha256(bytes)}`, { method: 'PUT' });
  t.match(put, { status: 201, headers: { location: `/v2/team/new/blobs/${sha256(bytes)}` } }, 'PUT without a body');
  const read = await client.ask(String(put.headers.location));
  t.equal(sha256(read.body), sha256(bytes), 'and it can be read where Location says');
  const second = await client.ask(UPLOADS, { method: 'POST' });
  const cancelled = await client.ask(String(second.headers.location), { method: 'DELETE' });
  t.equal(cancelled.status, 204, 'DELETE of a session');
  const gone = await client.ask(String(second.headers.location));
  t.match({ status: gone.status, code: codeOf(gone) }, { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' });
}

async function mounts(t: Test, client: Client, site: LabSite): Promise<void> {
  const digest = site.blob();
  const mounted = await client.ask(`/v2/team/mounted/blobs/uploads/?mount=${digest}&from=library/app`, {
    method: 'POST',
  });
  t.match(mounted, { status: 201, headers: { location: `/v2/team/mounted/blobs/${digest}` } }, 'mount');
  const post = site.primary.requests.findLast(({ method }) => method === 'POST');
  t.equal(
    post?.url,
    `/v2/${INNER}team/mounted/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=inner%2Flibrary%2Fapp`,
  );
  const elsewhere = await client.ask(`${UPLOADS}?mount=${sha256('nowhere')}&from=library/app`, { method: 'POST' });
  t.match(elsewhere, { status: 202, headers: { location: SEALED } }, 'a mount that is none is an upload');
}

async function manifests(t: Test, client: Client, site: LabSite): Promise<void> {
  const [config, layer] = [Buffer.from('{"os":"linux"}'), madeUp(100, 4)];
  for (const bytes of [config, layer]) t.equal((await pushBlob(client, 'team/new', bytes)).status, 201);
  const manifest = manifestOf(config, layer);
  const digest = sha256(manifest);
  const headers = { 'content-type': MANIFEST_TYPE };
  const path = '/v2/team/new/manifests';
  for (const reference of ['2', digest]) {
    const put = await client.ask(`${path}/${reference}`, { method: 'PUT', headers, body: manifest });
    t.match(put, {
      status: 201,
      headers: { location: `/v2/team/new/manifests/${digest}`, 'docker-content-digest': digest },
    });
  }
  t.same(site.primary.store.manifest(`${INNER}team/new`, '2')?.manifest.bytes, manifest, 'it is on the primary');
  const referrer = Buffer.from(
    JSON.stringify({ ...JSON.parse(manifest.toString()), subject: { mediaType: MANIFEST_TYPE, digest, size: 1 } }),
  );
  const put = await client.ask(`${path}/${sha256(referrer)}`, { method: 'PUT', headers, body: referrer });
  t.match(put, { status: 201, headers: { 'oci-subject': digest } }, 'OCI-Subject');
  t.equal((await client.ask(`${path}/2`, { method: 'DELETE' })).status, 202, 'DELETE of a tag');
  t.equal((await client.ask(`${path}/2`)).status, 404, 'which is gone');
  t.equal((await client.ask(`${path}/${digest}`, { method: 'DELETE' })).status, 202, 'DELETE of a manifest');
  t.equal((await client.ask(`/v2/team/new/blobs/${sha256(layer)}`, { method: 'DELETE' })).status, 202, 'of a blob');
  t.equal((await client.ask(`/v2/team/new/blobs/${sha256(layer)}`, { method: 'HEAD' })).status, 404);
}

async function refusals(t: Test, client: Client): Promise<void> {
  const missing = manifestOf(Buffer.from('never pushed'));
  const headers = { 'content-type': MANIFEST_TYPE };
  const unknown = await client.ask('/v2/team/new/manifests/3', { method: 'PUT', headers, body: missing });
  t.match({ status: unknown.status, code: codeOf(unknown) }, { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' });
  const begun = await client.ask(UPLOADS, { method: 'POST' });
  const wrong = await client.ask(`${begun.headers.location}?digest=${sha256('other')}`, {
    method: 'PUT',
    body: 'bytes',
  });
  t.match({ status: wrong.status, code: codeOf(wrong) }, { status: 400, code: 'DIGEST_INVALID' });
}
