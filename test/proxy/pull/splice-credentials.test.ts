import t from 'tap';
import { ANN, bearer, FORWARD, tokenFor } from '../../helpers/forward-site.ts';
import { CLOUD, clientRequests, INNER, type LabSiteOptions, sha256 } from '../../helpers/lab-site.ts';
import { partsOf } from '../../helpers/multipart.ts';
import { BLOB, CONTENT, DIGEST, lineOf, nothingLeft, startSpliceSite } from './splice-site.ts';

// The upstream that resumes is asked by its own path and with its own credentials. Those of the client go where they belong (rule 3).

/** The credentials of requests for more than the one byte of a probe. */
const shown = (registry: Parameters<typeof clientRequests>[0]) =>
  clientRequests(registry).flatMap(({ headers, url, kind }) =>
    kind === 'blob' && !/^bytes=(\d+)-\1$/.test(headers.range ?? '')
      ? [{ url, authorization: headers.authorization }]
      : [],
  );

const PROBE_RARELY = { interval: '1h', fastInterval: '1h' };
const QUIET: LabSiteOptions = {
  ...FORWARD,
  harbor: { ...FORWARD.harbor, probe: { ...(FORWARD.harbor?.probe as object), ...PROBE_RARELY } },
};
const CLOUD_FIRST = {
  pull: [
    { upstream: 'gcr', prefix: CLOUD },
    { upstream: 'harbor', prefix: INNER },
  ],
};

t.test('from the clients’ own credentials to the edge’s', async (t) => {
  for (const version of ['http1', 'http2'] as const) {
    const site = await startSpliceSite(t, QUIET);
    const { edge, primary, fallback } = site;
    const client = edge[version]();
    const challenge = await client.ask(BLOB);
    t.match(challenge, { status: 401 });
    const authorization = bearer(await tokenFor(client, challenge));
    primary.forget();
    await primary.faults.on('short', { bytes: 400_000 });
    const reply = await client.ask(BLOB, { headers: { authorization } });
    t.match(reply, { status: 200, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.equal(sha256(reply.body), DIGEST, client.version);
    t.match(await lineOf(edge, reply), { splices: [{ from: 'harbor', to: 'gcr' }] });
    t.strictSame(shown(primary), [{ url: `/v2/${INNER}library/big/blobs/${DIGEST}`, authorization }]);
    const requests = shown(fallback);
    t.match(requests.at(-1), { url: `/v2/${CLOUD}library/big/blobs/${DIGEST}`, authorization: /^Bearer / });
    for (const { authorization: own } of requests) t.notMatch(own, authorization.slice(7), 'not the client’s');
    t.notMatch(edge.log, authorization.slice(7));
    await nothingLeft(edge);
  }
});

t.test('several ranges, each read with the credentials of its upstream', async (t) => {
  for (const version of ['http1', 'http2'] as const) {
    const site = await startSpliceSite(t, QUIET);
    const { edge, primary, fallback } = site;
    const client = edge[version]();
    const headers = { range: 'bytes=0-99999,200000-299999,400000-400099,700000-700099' };
    const challenge = await client.ask(BLOB, { headers });
    t.match(challenge, { status: 401 });
    const authorization = bearer(await tokenFor(client, challenge));
    primary.forget();
    await primary.faults.on('short', { bytes: 50_000 });
    const reply = await client.ask(BLOB, { headers: { ...headers, authorization } });
    t.match(reply, { status: 206, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
    const parts = partsOf(reply);
    t.equal(parts.length, 4);
    t.ok(parts.every(({ first, last, bytes }) => bytes.equals(CONTENT.subarray(first, last + 1))));
    t.ok(shown(primary).length > 1);
    for (const one of shown(primary)) t.equal(one.authorization, authorization);
    t.ok(shown(fallback).length > 0);
    for (const { authorization: own } of shown(fallback)) t.notMatch(own, authorization.slice(7), 'not the client’s');
    await nothingLeft(edge);
  }
});

t.test('from the edge’s credentials to the clients’ own', async (t) => {
  const site = await startSpliceSite(t, { ...QUIET, route: CLOUD_FIRST });
  const { edge, primary, fallback } = site;
  const scope = `repository:${INNER}library/big:pull`;
  const token = await fetch(`${primary.url}/service/token?service=harbor-registry&scope=${scope}`, {
    headers: { authorization: ANN },
  });
  const authorization = `Bearer ${((await token.json()) as { token: string }).token}`;
  primary.forget();
  await fallback.faults.on('cut', { bytes: 300_000 });
  const reply = await edge.http1().ask(BLOB, { headers: { authorization } });
  t.match(reply, { status: 200, complete: true, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.equal(sha256(reply.body), DIGEST);
  t.strictSame(shown(primary), [{ url: `/v2/${INNER}library/big/blobs/${DIGEST}`, authorization }]);
  for (const { authorization: own } of shown(fallback)) t.notMatch(own, authorization.slice(7), 'not the client’s');
  await nothingLeft(edge);
});

t.test('a refusal of a client’s credentials does not end it', async (t) => {
  // The primary comes second here, and takes no client without credentials.
  const site = await startSpliceSite(t, { ...QUIET, route: CLOUD_FIRST });
  const { edge, primary, fallback } = site;
  await fallback.faults.on('short', { bytes: 400_000, times: 1 });
  const reply = await edge.http1().ask(BLOB, { headers: { range: 'bytes=10-' } });
  t.match(reply, { status: 206, complete: true, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.ok(reply.body.equals(CONTENT.subarray(10)), 'all of it');
  t.match(await lineOf(edge, reply), { splices: [{ from: 'gcr', to: 'gcr' }] }, 'the first is asked again');
  t.strictSame(
    shown(primary).map(({ authorization }) => authorization),
    [undefined],
    'the second refused',
  );
  await nothingLeft(edge);
});

t.test('storage behind redirects', async (t) => {
  for (const mode of ['follow', 'pass'] as const) {
    const site = await startSpliceSite(t, {
      fallback: { downloads: 'redirect' },
      gcr: { redirects: { mode } },
    });
    const { edge, primary, fallback } = site;
    await primary.faults.on('cut', { bytes: 400_000 });
    await fallback.faults.on('short', { bytes: 200_000, times: 1 });
    const reply = await edge.http1().ask(BLOB);
    t.match(reply, { status: 200, complete: true }, `redirects: ${mode}`);
    t.equal(sha256(reply.body), DIGEST, 'a client in the middle of a body cannot be sent elsewhere');
    const downloads = clientRequests(fallback).filter(({ kind }) => kind === 'download');
    t.ok(downloads.length > 0);
    for (const { headers } of downloads) {
      t.match(headers.range, /^bytes=\d+-$/);
      t.equal(headers.authorization, undefined, 'storage is shown no credentials');
    }
    await nothingLeft(edge);
  }
});
