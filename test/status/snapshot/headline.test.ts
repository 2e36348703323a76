import t from 'tap';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import type { UpstreamView } from '../../../src/failover/view.ts';
import { down, NOW, peer, ROUTES, replica, snapshotOf, upstream } from './views.ts';

const HOUR = 3_600_000;
const harbor = upstream('harbor');
const gcr = upstream('gcr');
const headline = (over: Parameters<typeof snapshotOf>[0]) => snapshotOf(over).headline;

t.test('says that all is well', async (t) => {
  t.same(headline({}), {
    level: 'well',
    lines: ['Pulls are served by harbor.', 'Pushes go to harbor.'],
    text: 'Pulls are served by harbor. Pushes go to harbor.',
  });
});

t.test('says which upstream serves when the first one is down', async (t) => {
  t.match(headline({ upstreams: [down('harbor'), gcr] }), {
    level: 'degraded',
    lines: [
      'Pulls are served by gcr. harbor has been down since 03:12 UTC (canary read timed out).',
      'Pushes to harbor have been refused since 03:12 UTC.',
    ],
  });
});

t.test('says which upstream refuses the edge’s own credentials', async (t) => {
  const refusal = { since: NOW - 18 * 60_000, reason: 'the token service at gcr.lan answers 401', total: true };
  const refusing = upstream('gcr', { credentials: { own: true, refusal } });
  t.match(headline({ upstreams: [harbor, refusing] }), {
    level: 'degraded',
    lines: [
      'Pulls are served by harbor.',
      'Pushes go to harbor.',
      "gcr has refused this edge's credentials since 03:12 UTC (the token service at gcr.lan answers 401). Renew them.",
    ],
  });
});

t.test('says first which pulls fail', async (t) => {
  t.match(headline({ upstreams: [down('harbor'), down('gcr')] }), {
    level: 'failing',
    lines: [
      /^Pulls may fail: no upstream is healthy, and each is still tried\. harbor has been down .*\. gcr has been down .*\.$/,
      /^Pushes to harbor have been refused/,
    ],
  });
  const hub = resolveRoute({
    prefix: '',
    registry: 'docker.io',
    onAbsent: 'stop',
    staleTags: 'warn',
    deletions: 'keep',
    anonymous: false,
    pull: [{ upstream: 'hub', replicate: false }],
  });
  t.match(headline({ upstreams: [harbor, gcr, down('hub')], routes: [...ROUTES, hub] }), {
    level: 'failing',
    lines: [
      'Pulls of docker.io/ may fail: no upstream is healthy, and each is still tried. Pulls of library/ are served by harbor. hub has been down since 03:12 UTC (canary read timed out).',
      'Pushes go to harbor.',
    ],
  });
});

t.test('warns that a fallback cannot take over', async (t) => {
  t.match(headline({ upstreams: [harbor, down('gcr')] }), {
    level: 'degraded',
    lines: [
      'Pulls are served by harbor.',
      'gcr has been down since 03:12 UTC (canary read timed out), so it cannot take over.',
      'Pushes go to harbor.',
    ],
  });
});

t.test('says since when and why pushes are refused', async (t) => {
  const readOnly = upstream('harbor', {
    gate: { mode: 'refusing', since: NOW - 26 * HOUR, reason: 'it is read-only' },
  });
  t.match(headline({ upstreams: [readOnly, gcr] }), {
    level: 'degraded',
    lines: [
      'Pulls are served by harbor.',
      'Pushes to harbor have been refused since 2026-11-20 01:30 UTC (it is read-only).',
    ],
  });
  const settling = upstream('harbor', { gate: { mode: 'settling', since: NOW, reason: 'back, and settling' } });
  t.match(
    headline({ upstreams: [settling, gcr] }).lines[1],
    'Pushes to harbor are refused for a few more seconds: it has just recovered.',
  );
  const routes = ROUTES.map((route) => ({ ...route, push: undefined }));
  t.match(headline({ routes }).lines[1], 'Pushes are refused: every route is read-only.');
});

t.test('pulls avoid an upstream with an open breaker, and one that is rate-limited', async (t) => {
  const one = replica();
  const tripped = { ...one, breakers: { ...one.breakers, data: 'open' as const } };
  t.match(headline({ upstreams: [upstream('harbor', { replicas: [tripped] }), gcr] }), {
    level: 'degraded',
    text: /^Pulls are served by gcr\. harbor passes its probes but fails real requests \(breaker open\)\./,
  });
  const half = upstream('harbor', { replicas: [tripped, one] });
  t.match(headline({ upstreams: [half, gcr] }), {
    level: 'degraded',
    lines: [
      'Pulls are served by harbor.',
      /^Pushes go to harbor/,
      /^https:\/\/harbor\.lan of harbor passes its probes but fails reads of blobs \(breaker open\)\./,
    ],
  });
  const resting = upstream('harbor', { replicas: [{ ...one, retryAfterUntil: NOW + 1001 }] });
  t.match(headline({ upstreams: [resting, gcr] }).text, /served by gcr\. harbor is rate-limited\./);
});

t.test('claims no state that the newest evidence contradicts', async (t) => {
  const one = replica();
  const open = { ...one.breakers, data: 'open' as const };
  const suspected = { suspected: true };
  const failing = { canary: 'failing' as const, suspected: true };
  const says = (over: Partial<typeof one>) =>
    headline({ upstreams: [upstream('harbor', { replicas: [{ ...one, ...over }] }), gcr] });
  for (const [over, expected] of [
    [failing, 'Pulls are tried on harbor and gcr. harbor is failing right now (its canary cannot be read).'],
    [
      { canary: 'failing' },
      'Pulls are tried on harbor and gcr. harbor is failing right now (its canary cannot be read).',
    ],
    [
      { ...failing, breakers: open, retryAfterUntil: NOW + 1 },
      'Pulls are tried on harbor and gcr. harbor is failing right now (its canary cannot be read).',
    ],
    [suspected, 'Pulls are tried on harbor and gcr. harbor has failed a request, and no probe has been good since.'],
    [{ ...suspected, slow: true }, 'Pulls are tried on harbor and gcr. harbor is slow to answer.'],
    [
      { ...suspected, breakers: open },
      'Pulls are served by gcr. harbor fails requests (breaker open), and no probe has been good since.',
    ],
    [{ state: 'unknown', canary: 'none' }, 'Pulls are tried on harbor and gcr. harbor has not been probed yet.'],
    [
      { ...failing, state: 'unknown' },
      'Pulls are tried on harbor and gcr. harbor is failing right now (its canary cannot be read).',
    ],
  ] as [Partial<typeof one>, string][])
    t.match(says(over), { level: 'degraded', lines: [expected, 'Pushes are tried on harbor.'] }, expected);
  const fallback = upstream('gcr', { replicas: [{ ...one, ...failing }] });
  t.match(headline({ upstreams: [harbor, fallback] }), {
    level: 'degraded',
    lines: [
      'Pulls are served by harbor.',
      'gcr is failing right now (its canary cannot be read), so it may be unable to take over.',
    ],
  });
  const recovering = down('harbor', { replicas: [replica({ state: 'down', since: NOW - 60_000, reason: 'a' })] });
  t.match(
    headline({ upstreams: [recovering, gcr] }).lines[0],
    'Pulls are served by gcr. harbor has been down since 03:29 UTC (a) and is recovering.',
  );
});

t.test('an only upstream that fails its canary makes pulls fail, one failed request does not', async (t) => {
  const routes = ROUTES.map((route) => ({ ...route, pull: route.pull.slice(0, 1) }));
  const only = (over: Parameters<typeof replica>[0]) =>
    headline({ routes, upstreams: [upstream('harbor', { replicas: [replica(over)] })] });
  t.match(only({ canary: 'failing' }), {
    level: 'failing',
    lines: [
      'Pulls may fail: no upstream is healthy, and each is still tried. harbor is failing right now (its canary cannot be read).',
    ],
  });
  t.match(only({ suspected: true }), {
    level: 'degraded',
    lines: ['Pulls are tried on harbor. harbor has failed a request, and no probe has been good since.'],
  });
});

t.test('a reason that the line about pulls gives is not repeated in the line about pushes', async (t) => {
  const reason = 'its canary cannot be read';
  const failing = upstream('harbor', {
    replicas: [replica({ canary: 'failing', suspected: true })],
    gate: { mode: 'refusing', since: NOW, reason },
  });
  t.match(headline({ upstreams: [failing, gcr] }).lines[1], 'Pushes to harbor have been refused since 03:30 UTC.');
});

t.test('says when the edge itself does not serve', async (t) => {
  t.match(headline({ ready: false }), {
    level: 'degraded',
    lines: ['This edge is starting or draining.', /Pulls/, /Pushes/],
  });
});

t.test('says how far a planned stop is', async (t) => {
  const stop = { since: NOW, until: NOW + 300_000, underWay: 3 };
  const first = (stage: 'holding' | 'draining', underWay: number | null) =>
    headline({ ready: stage === 'holding', stop: { ...stop, stage, underWay } }).lines[0];
  t.match(first('holding', 3), 'it keeps serving until 3 requests have ended, until 03:35 UTC at the latest');
  t.match(first('holding', 1), 'until 1 request has ended');
  t.match(first('draining', null), 'it takes no new clients, and what is under way has until 03:35 UTC at the latest');
  t.equal(headline({ stop: { ...stop, stage: 'holding' } }).level, 'degraded');
});

t.test('shows only a few names', async (t) => {
  const routes = ['a/', 'b/', 'c/', 'd/', 'e/', 'f/'].map((prefix) =>
    resolveRoute({
      prefix,
      onAbsent: 'stop',
      staleTags: 'warn',
      deletions: 'keep',
      anonymous: false,
      pull: [{ upstream: 'gcr', replicate: false }],
    }),
  );
  t.match(
    headline({ routes: [...ROUTES, ...routes] }).text,
    /Pulls of a\/, b\/, c\/, d\/ and 2 more are served by gcr/,
  );
});

t.test('says that a Harbor does not tell whether it is read-only', async (t) => {
  const account = { role: 'probe' as const, username: 'robot', refusal: undefined, expires: undefined };
  const silent = (ms: number, accounts: (typeof account)[] = []) => {
    const credentials = { own: false, refusal: undefined, accounts };
    const over = { kind: 'harbor' as const, readOnly: undefined, modeUnknownSince: NOW - ms, credentials };
    return headline({ upstreams: [upstream('harbor', over), gcr] });
  };
  const told = 'It has not been known since 02:30 UTC whether harbor is read-only, because';
  t.match(silent(HOUR).text, `${told} it tells its users only. Set upstreams.harbor.probe.credentials.`);
  t.match(silent(HOUR, [account]).text, `${told} its API does not tell. Pushes get its own answer.`);
  t.equal(silent(HOUR).level, 'degraded');
  t.equal(silent(60_000).level, 'well');
});

t.test('says which edge replies to pushes do not wait for', async (t) => {
  const since = (ms: number) => ({ peer: '10.0.0.12', since: new Date(NOW - ms).toISOString() });
  const behind = (ms: number) => headline({ acknowledgements: { late: 1, behind: [since(ms)] } });
  t.match(behind(HOUR), {
    level: 'degraded',
    text: /The edge at 10\.0\.0\.12 has not acknowledged what clients push here since 02:30 UTC, and replies do not wait for it\./,
  });
  t.equal(behind(4999).level, 'well', 'it may have been short of CPU for a moment');
  t.equal(behind(5000).level, 'degraded');
});

t.test('says which upstream has lost content, and what to type', async (t) => {
  const contentLost = (gone: number, images: string[]) => ({ since: NOW - HOUR, noticedAt: NOW, gone, images });
  const lost = (gone: number, ...images: string[]) =>
    headline({ upstreams: [upstream('harbor', { contentLost: contentLost(gone, images) }), gcr] });
  t.match(lost(6, 'library/a:1', 'library/b:1', 'library/c:1', 'library/d:1'), {
    level: 'degraded',
    text: /harbor has lost content: 6 pushes that it acknowledged since 02:30 UTC cannot be found there \(library\/a:1, .*d:1 and 2 more\)\. Tags are served as before, and nothing of it is copied over or deleted\. Restore it, or run breakwater accept harbor\./,
  });
  t.match(lost(1, 'library/a:1').text, /a push that it acknowledged since .* \(library\/a:1\)/);
});

t.test('says where lost content would not be noticed, and which key to add', async (t) => {
  const unseen = (reader: 'own' | 'probe' | undefined, ...repositories: string[]) => {
    const contentUnseen = { since: NOW - HOUR, reader, repositories };
    return headline({ upstreams: [upstream('harbor', { contentUnseen }), gcr] });
  };
  const key = 'set upstreams.harbor.replication.credentials to those of an account that may pull everything.';
  t.match(unseen(undefined), { level: 'degraded' });
  t.match(
    unseen(undefined).text,
    `If harbor lost content, this would not be noticed, because this edge has no credentials to look for it. To change that, ${key}`,
  );
  const told =
    'It has not been known since 02:30 UTC whether harbor still has what was pushed to team/a, team/b: the account of upstreams.harbor';
  const probe = unseen('probe', 'team/a', 'team/b');
  t.match(probe.text, `${told}.probe.credentials may not pull it. Give it that right, or ${key}`);
  t.match(unseen('own', 'team/a', 'team/b').text, `${told}.credentials may not pull it. Give it that right.`);
  const fallback = upstream('gcr', { contentUnseen: { since: NOW - HOUR, reader: undefined, repositories: [] } });
  t.equal(headline({ upstreams: [upstream('harbor'), fallback] }).level, 'well', 'no route pushes there');
});

t.test('says which upstream has corrupt blobs', async (t) => {
  const copies = (...digests: string[]) => digests.map((digest) => ({ upstream: 'harbor', digest, since: NOW }));
  t.match(headline({ corruptCopies: copies('a') }), {
    level: 'degraded',
    lines: [
      /served by harbor/,
      /go to harbor/,
      'harbor has a corrupt blob. Pulls use other upstreams for it. Repair it as docs/splicing.md says.',
    ],
  });
  t.match(headline({ corruptCopies: copies('a', 'b') }).text, /harbor has 2 corrupt blobs\. .* Repair them/);
});

t.test('names tags that may be out of date for ten minutes', async (t) => {
  const warning = (tag: string, ago: number) => ({
    at: new Date(NOW - ago).toISOString(),
    repository: 'library/app',
    tag,
    upstream: 'gcr',
    text: 'older',
    count: 1,
  });
  const recent = headline({ tagWarnings: [warning('v2', 0), warning('v1', 599_000), warning('v0', 600_000)] });
  t.match(recent, {
    level: 'well',
    lines: [
      /Pulls/,
      /Pushes/,
      'Clients got tags that may be out of date in the last 10 minutes: library/app:v2, library/app:v1.',
    ],
  });
  t.equal(headline({ tagWarnings: [warning('v0', 600_000)] }).lines.length, 2);
});

t.test('says which other edge is not in sync with this one', async (t) => {
  t.match(headline({ peers: [peer(), peer({ state: 'itself' }), peer({ state: 'behind' })] }), { level: 'well' });
  t.match(headline({ peers: [peer({ state: 'unreachable', reason: 'connect ECONNREFUSED' })] }), {
    level: 'degraded',
    text: /The edge at https:\/\/edge-b\.lan \(10\.0\.0\.12:443\) has been unreachable since .* UTC: connect ECONNREFUSED\.$/,
  });
  const lost = peer({ url: 'https://edge-b.lan', address: null, state: 'stranger', reason: 'another keyFile' });
  t.match(headline({ peers: [lost] }).text, /The edge at https:\/\/edge-b\.lan has rejected this edge since/);
});

t.test('an upstream that can have a canary and has none, or that has shown no content', async (t) => {
  const of = (harbor: Partial<UpstreamView>, gcr: Partial<UpstreamView> = {}) =>
    snapshotOf({ upstreams: [upstream('harbor', harbor), upstream('gcr', gcr)] }).headline;
  t.match(of({ canaryImage: undefined }, { canaryImage: undefined }), {
    level: 'degraded',
    text: /harbor, gcr have no canary, so lost storage may go unnoticed\. To make one, run: breakwater canary push/,
  });
  t.match(of({ canaryImage: undefined }).text, /harbor has no canary/);
  t.match(of({}), { level: 'well' });
  const proof = { state: 'unproven' as const, since: NOW, reason: 'it lists no repositories' };
  const gate = { mode: 'refusing' as const, since: NOW, reason: 'it lists no repositories, so ...' };
  t.match(of({ replicas: [replica({ canary: 'none', proof })], gate }), {
    level: 'degraded',
    text: 'Pulls are tried on harbor and gcr. harbor has shown no content yet. Pushes to harbor have been refused since 03:30 UTC (it lists no repositories, so ...).',
  });
});

t.test('credentials of which no check has told for a while', async (t) => {
  const of = (since: number) =>
    snapshotOf({
      upstreams: [
        upstream('harbor', { credentials: { own: true, refusal: undefined, unknown: { since, reason: 'no answer' } } }),
      ],
    });
  t.match(of(NOW - 61_000).headline, {
    level: 'degraded',
    text: /It has not been known since 03:28 UTC whether harbor accepts this edge's credentials \(no answer\)/,
  });
  t.match(of(NOW - 59_000).headline, { level: 'well' });
  t.match(of(NOW).upstreams[0]?.credentials, { state: 'unknown', reason: 'no answer' });
  const account = { role: 'probe' as const, username: 'robot', refusal: undefined, expires: undefined };
  const probe = (since: number) => {
    const accounts = [{ ...account, unknown: { since, reason: 'no answer' } }];
    return headline({
      upstreams: [upstream('harbor', { credentials: { own: false, refusal: undefined, accounts } }), gcr],
    });
  };
  t.match(probe(NOW - 61_000), {
    level: 'degraded',
    text: /since 03:28 UTC whether harbor accepts the probe's credentials \(no answer\)/,
  });
  t.equal(probe(NOW - 60_000).level, 'well');
});
