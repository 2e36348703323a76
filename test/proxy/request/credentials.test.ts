import t from 'tap';
import { parseChallenges } from '../../../src/oci/challenge.ts';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { ANN, basic, bearer, challengeOf, FORWARD, KEY, probe, secrets, tokenFor } from '../../helpers/forward-site.ts';
import { codeOf, madeUpUser, pushBlob, startLabSite } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';

const MANIFEST = '/v2/library/app/manifests/1';
const UPLOADS = '/v2/team/new/blobs/uploads/';

t.test('forward: the client’s challenge, its token, its pull and its push', async (t) => {
  const site = await startLabSite(t, FORWARD);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const ping = await client.ask('/v2/');
    t.match(ping, { status: 401, headers: { 'docker-distribution-api-version': 'registry/2.0' } });
    t.match(challengeOf(ping), {
      scheme: 'bearer',
      service: 'harbor-registry',
      realm: /^https:\/\/edge\.test\/auth\/token\/[\w.-]+$/,
    });
    const asked = await client.ask(MANIFEST);
    t.equal(asked.status, 401);
    t.equal(challengeOf(asked).scope, 'repository:library/app:pull', 'in the client’s names');
    site.primary.forget();
    const token = await tokenFor(client, asked);
    t.match(token, { status: 200, headers: { 'cache-control': 'no-store', 'content-type': /json/ } });
    // The edge may fetch a token for its probe at the same moment.
    const fetched = site.primary.requests.find(({ kind, url }) => kind === 'token' && url.includes('library%2Fapp'));
    t.match(fetched?.url, /scope=repository%3Ainner%2Flibrary%2Fapp%3Apull/, 'in the upstream’s names');
    t.equal(fetched?.headers.authorization, ANN, 'with the client’s own password');
    const pulled = await client.ask(MANIFEST, { headers: { authorization: bearer(token) } });
    t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });

    const list = await client.ask('/v2/_catalog');
    t.match(
      { status: list.status, scheme: challengeOf(list).scheme },
      { status: 401, scheme: 'basic' },
      'as Harbor does',
    );
    const listed = await client.ask('/v2/_catalog', { headers: { authorization: ANN } });
    t.match(listed, { status: 200, body: /\["library\/app"\]/ }, 'a user sees the repositories that she may pull');
    t.equal((await client.ask('/v2/_catalog')).status, 401, 'is not kept for others');

    const post = await client.ask(UPLOADS, { method: 'POST' });
    t.equal(post.status, 401);
    t.equal(challengeOf(post).scope, 'repository:team/new:pull,push');
    const pushToken = bearer(await tokenFor(client, post));
    const begun = await client.ask(UPLOADS, { method: 'POST', headers: { authorization: pushToken } });
    t.equal(begun.status, 202);
    const wrong = await tokenFor(client, asked, basic('ann', 'wrong-Tr0ub4dor'));
    t.equal(wrong.status, 200, 'Harbor gives a token to a wrong password, too');
    t.equal((await client.ask(MANIFEST, { headers: { authorization: bearer(wrong) } })).status, 401, 'of no use');
    const stale = await client.ask(MANIFEST, { headers: { authorization: 'Bearer stale-token' } });
    t.match(parseChallenges(String(stale.headers['www-authenticate']))[0]?.parameters.error, 'invalid_token');
    for (const reply of [ping, asked, token, pulled, post, begun, wrong, stale]) t.equal(site.leak(reply), undefined);
    for (const word of secrets(bearer(token).slice(7), pushToken.slice(7), 'stale-token')) {
      t.notOk(site.edge.log.includes(word), 'nothing secret in the log');
    }
  }
  t.equal(site.fallback.requests.filter(({ headers }) => headers.authorization === ANN).length, 0);
});

t.test('credentials of a client, and of the edge, go only where they belong', async (t) => {
  const site = await startLabSite(t, FORWARD);
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  site.fallback.forget();
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const reply = await client.ask(MANIFEST, { headers: { authorization: ANN, cookie: 'sid=1' } });
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    t.equal((await client.ask('/v2/', { headers: { authorization: ANN } })).status, 200, 'the edge answers the ping');
  }
  t.ok(site.fallback.requests.length > 0);
  for (const { headers } of site.fallback.requests) {
    t.notOk(headers.authorization === ANN || headers.cookie, 'nothing of the client’s');
  }
  const tokens = site.fallback.requests.filter(({ kind }) => kind === 'token');
  t.ok(tokens.length <= 2, `${tokens.length} tokens: they are kept`);
  await site.primary.faults.off();
  await site.edge.upstream('harbor', 'up');
  const all = site.primary.requests.map(({ headers }) => headers.authorization);
  t.notOk(all.includes(basic('_json_key', KEY)), 'the key file’s go to gcr only');
});

t.test('the edge’s own credentials, Basic and Bearer, for pulls and pushes', async (t) => {
  for (const scheme of ['basic', 'bearer'] as const) {
    const site = await startLabSite(t, {
      primary: { auth: { scheme, users: [madeUpUser] } },
      harbor: { credentials: { username: madeUpUser.username, passwordFile: 'x' } },
      settings: { secrets: { harbor: { password: madeUpUser.password } } },
    });
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      t.equal((await client.ask('/v2/')).status, 200, 'clients are not challenged');
      t.match(await client.ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
      t.equal((await pushBlob(client, 'team/new', Buffer.from(client.version))).status, 201, `${scheme} push`);
      const mount = `${UPLOADS}?mount=${site.blob()}&from=library/app`;
      t.equal((await client.ask(mount, { method: 'POST', headers: { authorization: ANN } })).status, 201, 'mount');
    }
    t.notOk(
      site.primary.requests.some(({ headers }) => headers.authorization === ANN),
      'never the client’s',
    );
    t.notOk(site.edge.log.includes(madeUpUser.password));
  }
});

t.test('a push with credentials that do not work is 403 with the reason, and loud in the log', async (t) => {
  for (const scheme of ['basic', 'bearer'] as const) {
    const site = await startLabSite(t, {
      primary: { auth: { scheme, users: [madeUpUser, { username: 'probe', password: 'pr0be-secret' }] } },
      harbor: {
        probe: { ...RARE_PROBE, credentials: { username: 'probe', passwordFile: 'x' } },
        credentials: { username: madeUpUser.username, passwordFile: 'x' },
      },
      settings: { secrets: { harbor: { password: 'wrong-s3cret', probePassword: 'pr0be-secret' } } },
    });
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      const reply = await client.ask(UPLOADS, { method: 'POST' });
      t.match(
        { status: reply.status, code: codeOf(reply), complete: reply.complete },
        { status: 403, code: 'DENIED', complete: true },
      );
      t.match(reply.body.toString(), /credentials/);
      t.equal(reply.headers['www-authenticate'], undefined, 'users are not told that their password is wrong');
    }
    t.match(site.edge.log, /"level":50.*refuses the edge's credentials/);
    t.notMatch(site.edge.log, /wrong-s3cret/);
    t.equal(site.fallback.writes, 0);
  }
});

t.test('an authority that is dead is an outage, not a wrong password', async (t) => {
  const site = await startLabSite(t, { ...FORWARD, harbor: { ...FORWARD.harbor, probe: { ...probe, ...RARE_PROBE } } });
  await site.primary.faults.on('emptyChallenge401');
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const pull = await client.ask(MANIFEST, { headers: { authorization: ANN } });
    t.match(pull, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    const push = await client.ask(UPLOADS, { method: 'POST', headers: { authorization: ANN } });
    t.match({ status: push.status, code: codeOf(push) }, { status: 403, code: 'DENIED' });
    t.equal((await client.ask('/v2/', { headers: { authorization: ANN } })).status, 200, 'a ping');
  }
});

t.test('a refusal in place of an answer that is still coming', async (t) => {
  const odd = await startOddServer(t, (socket) => {
    socket.write('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: \r\nContent-Length: 1000\r\n\r\n{"errors":[');
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, credentials: 'forward' } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    const reply = await client.ask('/v2/team/new/manifests/1', { method: 'PUT', body: '{}' });
    t.match(
      { status: reply.status, complete: reply.complete, code: codeOf(reply) },
      { status: 403, complete: true, code: 'DENIED' },
    );
  }
});
