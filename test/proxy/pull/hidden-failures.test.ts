import t from 'tap';
import type { Reply } from '../../helpers/http1-client.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { BY_TAG, PATHS, REFERRERS, RIGHTFUL, STRANGERS, serveAll, startHiding, TAGS } from './hidden-site.ts';
import { type Answer, BLOB, BY_DIGEST, type PacedSite, status } from './paced-upstream.ts';

// What a client can make a well primary do to its own request opens no fallback to it (rules 3 and 8). An outage does, and so does a
// failure that meets a client to which the primary has shown the repository.

const CATALOG = '/v2/_catalog';

/** How a primary fails for one request. */
const FAILS: Record<string, Answer> = {
  'answers 500': status(500),
  'answers 502': status(502),
  'answers 503 with Retry-After': status(503, { 'retry-after': '60' }),
  'answers 401 without a challenge': status(401),
  'answers with a page': (_, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>'),
  'answers 204': status(204),
  'redirects to another host': status(307, { location: 'http://storage.invalid/blob' }),
  'closes the connection': (_, res) => res.destroy(),
  // The head of a blob that begins well would show the blob.
  'breaks off its answer': (req, res) => {
    if (req.url === BLOB) return res.destroy();
    res.writeHead(200, { 'content-length': 1000, 'content-type': 'application/json' });
    res.write('{');
    return setImmediate(() => res.destroy());
  },
  'does not answer in time': () => undefined,
};

/** An edge whose primary is soon given up, and which keeps no manifests in memory. */
function startFailing(t: Owner, more: Record<string, unknown> = {}): Promise<PacedSite> {
  const harbor = { deadlines: { manifest: '200ms', blob: '200ms', last: '400ms' }, hedge: { floor: '20ms' }, ...more };
  return startHiding(t, { config: { manifests: { memory: 0 } }, harbor });
}

/** What clients ask. A HEAD of a blob goes to the push upstream alone. */
const ASKED: [method: string, path: string][] = [
  ...PATHS.map((path): [string, string] => ['GET', path]),
  ...PATHS.filter((path) => path !== BLOB).map((path): [string, string] => ['HEAD', path]),
];
const isFallback = ({ headers }: Reply) => /gcr|quay/.test(String(headers['x-breakwater-upstream']));

t.test('a well primary', async (t) => {
  const site = await startFailing(t);
  const client = site.edge.http1();
  // From its list, the edge knows that it has the referrers API, so that a fallback may have a list in its place.
  for (const path of [BY_TAG, REFERRERS]) await client.ask(path, { headers: { authorization: RIGHTFUL } });
  for (const [fails, answer] of Object.entries(FAILS)) {
    site.harbor.answer = answer;
    for (const headers of STRANGERS) {
      const all = [...ASKED, ['GET', CATALOG] as const].map(async ([method, path]) => {
        const reply = await client.ask(path, { method, headers });
        const name = `${fails}: ${headers.authorization ? 'bob' : 'no one'}: ${method} ${path.slice(0, 24)}`;
        t.notOk(isFallback(reply), name);
        t.ok(reply.status >= 400, `${name}: ${reply.status}`);
        const why = path === REFERRERS ? /harbor/ : /harbor.*; no other upstream may/;
        if (method === 'GET') t.match(reply.body.toString(), why);
        t.notMatch(reply.body.toString(), /gcr|quay/, 'nor is it told what the others have');
      });
      await Promise.all(all);
    }
    for (const [method, path] of ASKED) {
      const reply = await client.ask(path, { method, headers: { authorization: RIGHTFUL } });
      t.ok(isFallback(reply), `${fails}: ann, to whom it has shown the repository: ${method} ${path.slice(0, 24)}`);
    }
  }
});

for (const fails of [
  'answers 500',
  'answers 401 without a challenge',
  'closes the connection',
  'does not answer in time',
]) {
  t.test(`a primary that is out, and ${fails}`, async (t) => {
    const site = await startFailing(t);
    site.harbor.answer = FAILS[fails] as Answer;
    site.harbor.canary = status(500);
    const asked = STRANGERS.flatMap((headers) => [BY_DIGEST, BLOB, CATALOG].map((path) => ({ path, headers })));
    await Promise.all(
      asked.map(async ({ path, headers }) =>
        t.ok(isFallback(await site.edge.http1().ask(path, { headers })), `${fails}: ${path.slice(0, 24)}`),
      ),
    );
  });
}

t.test('what shows nothing of a repository', async (t) => {
  const site = await startFailing(t, { redirects: { mode: 'pass' } });
  const client = site.edge.http1();
  const headers = STRANGERS[0] ?? {};
  const answers: [says: string, path: string, answer: Answer, expected: number][] = [
    ['a redirect to a login', BLOB, status(302, { location: 'https://login.example/' }), 302],
    ['an empty list', `${REFERRERS}?n=0`, serveAll, 200],
    ['a HEAD of a list', `${TAGS}?n=0`, (_, res) => res.end(), 200],
  ];
  for (const [says, path, answer, expected] of answers) {
    site.harbor.answer = answer;
    const method = says.includes('HEAD') ? 'HEAD' : 'GET';
    t.equal((await client.ask(path, { method, headers })).status, expected, says);
    site.harbor.answer = status(500);
    t.equal((await client.ask(BY_TAG, { headers })).status, 503, says);
  }
});

t.test('a repository that the primary does not show to the client any more', async (t) => {
  const site = await startFailing(t);
  const client = site.edge.http1();
  const ann = { headers: { authorization: RIGHTFUL } };
  const denied: [string, Answer][] = [
    ['401', status(401, { 'www-authenticate': 'Basic realm="harbor"' })],
    ['403', status(403)],
    ['404 for a tag that is there', status(404)],
  ];
  for (const [says, answer] of denied) {
    site.harbor.answer = serveAll;
    t.match(await client.ask(BY_TAG, ann), { status: 200 });
    site.harbor.answer = answer;
    t.equal((await client.ask(BY_TAG, ann)).status, Number(says.slice(0, 3)));
    site.harbor.answer = status(500);
    t.equal((await client.ask(BY_TAG, ann)).status, 503, says);
  }
  site.harbor.answer = serveAll;
  await client.ask(BY_TAG, ann);
  site.harbor.answer = status(404);
  t.match(await client.ask('/v2/app/manifests/unknown', ann), { status: 404 });
  site.harbor.answer = status(500);
  t.ok(isFallback(await client.ask(BY_TAG, ann)), 'a tag that nobody knows says nothing of the repository');
});
