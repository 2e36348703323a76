import t from 'tap';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import { down, NOW, peer, ROUTES, replica, snapshotOf, upstream } from './views.ts';

const HOUR = 3_600_000;
const harbor = upstream('harbor');
const gcr = upstream('gcr');
const headline = (over: Parameters<typeof snapshotOf>[0]) => snapshotOf(over).headline;

t.test('says that all is well', async (t) => {
  t.same(headline({}), {
    level: 'well',
    lines: ['Pulls: served by harbor.', 'Pushes: go to harbor.'],
    text: 'Pulls: served by harbor. Pushes: go to harbor.',
  });
});

t.test('says who serves when the first upstream is down', async (t) => {
  t.match(headline({ upstreams: [down('harbor'), gcr] }), {
    level: 'degraded',
    text: 'Pulls: served by gcr, harbor is down since 03:12 UTC (canary read timed out). Pushes: refused since 03:12 UTC.',
  });
});

t.test('says which upstream refuses the edge’s own credentials, which nobody else is told', async (t) => {
  const refusal = { since: NOW - 18 * 60_000, reason: 'the token service at gcr.lan answers 401', total: true };
  const refusing = upstream('gcr', { credentials: { own: true, refusal } });
  t.match(headline({ upstreams: [harbor, refusing] }), {
    level: 'degraded',
    lines: [
      'Pulls: served by harbor.',
      'Pushes: go to harbor.',
      'gcr refuses the credentials that this edge has for it since 03:12 UTC (the token service at gcr.lan answers 401).',
    ],
  });
});

t.test('says that pulls fail, and which, before anything else', async (t) => {
  t.match(headline({ upstreams: [down('harbor'), down('gcr')] }), {
    level: 'failing',
    lines: [
      /^Pulls: no upstream is well, each is still asked, harbor is down .*, gcr is down .*\.$/,
      /^Pushes: refused/,
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
      'Pulls of docker.io/: no upstream is well, each is still asked; pulls of library/: served by harbor, hub is down since 03:12 UTC (canary read timed out).',
      'Pushes: go to harbor.',
    ],
  });
});

t.test('warns that nothing could take over', async (t) => {
  t.match(headline({ upstreams: [harbor, down('gcr')] }), {
    level: 'degraded',
    lines: [
      'Pulls: served by harbor.',
      'gcr is down since 03:12 UTC (canary read timed out), and could not take over.',
      'Pushes: go to harbor.',
    ],
  });
});

t.test('tells refused pushes with their own reason', async (t) => {
  const readOnly = upstream('harbor', {
    gate: { mode: 'refusing', since: NOW - 26 * HOUR, reason: 'it is read-only' },
  });
  t.match(headline({ upstreams: [readOnly, gcr] }), {
    level: 'degraded',
    lines: ['Pulls: served by harbor.', 'Pushes: refused since 2026-11-20 01:30 UTC (it is read-only).'],
  });
  const settling = upstream('harbor', { gate: { mode: 'settling', since: NOW, reason: 'back, and settling' } });
  t.match(
    headline({ upstreams: [settling, gcr] }).lines[1],
    'Pushes: refused for a few seconds more, harbor is just back.',
  );
  const routes = ROUTES.map((route) => ({ ...route, push: undefined }));
  t.match(headline({ routes }).lines[1], 'Pushes: none, every route is read-only.');
});

t.test('counts an upstream whose breaker is open, that rests, or that was not probed yet as unwell', async (t) => {
  const one = replica();
  const tripped = upstream('harbor', { replicas: [{ ...one, breakers: { ...one.breakers, data: 'open' } }] });
  t.match(
    headline({ upstreams: [tripped, gcr] }).text,
    /served by gcr, harbor passes its probes but fails what it is asked/,
  );
  const half = upstream('harbor', { replicas: [...tripped.replicas, one] });
  t.match(headline({ upstreams: [half, gcr] }), { level: 'well' }, 'one good URL is enough');
  const resting = upstream('harbor', { replicas: [{ ...one, retryAfterUntil: NOW + 1 }] });
  t.match(headline({ upstreams: [resting, gcr] }).text, /served by gcr, harbor asked to be left alone/);
  const unknown = upstream('harbor', { replicas: [{ ...one, state: 'unknown' }] });
  t.match(headline({ upstreams: [unknown, gcr] }).text, /served by gcr, harbor was not probed yet/);
});

t.test('says when the edge itself does not serve', async (t) => {
  t.match(headline({ ready: false }), {
    level: 'degraded',
    lines: ['This edge is starting or draining.', /Pulls/, /Pushes/],
  });
});

t.test('keeps to a few names', async (t) => {
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
  t.match(headline({ routes: [...ROUTES, ...routes] }).text, /pulls of a\/, b\/, c\/, d\/ and 2 more: served by gcr/i);
});

t.test('tells of wrong bytes', async (t) => {
  const rotten = (...digests: string[]) => digests.map((digest) => ({ upstream: 'harbor', digest, since: NOW }));
  t.match(headline({ rotten: rotten('a') }), {
    level: 'degraded',
    lines: [
      /served by harbor/,
      /go to harbor/,
      'harbor has one blob with wrong bytes, asked for elsewhere until mended.',
    ],
  });
  t.match(headline({ rotten: rotten('a', 'b') }).text, /harbor has 2 blobs with wrong bytes/);
});

t.test('tells of tags that may be old, while that is news', async (t) => {
  const warning = (tag: string, ago: number) => ({
    at: new Date(NOW - ago).toISOString(),
    repository: 'library/app',
    tag,
    upstream: 'gcr',
    text: 'older',
    count: 1,
  });
  const told = headline({ tagWarnings: [warning('v2', 0), warning('v1', 599_000), warning('v0', 600_000)] });
  t.match(told, {
    level: 'well',
    lines: [
      /Pulls/,
      /Pushes/,
      'Tags that may be old were served in the last 10 minutes: library/app:v2, library/app:v1.',
    ],
  });
  t.equal(headline({ tagWarnings: [warning('v0', 600_000)] }).lines.length, 2);
});

t.test('says which other edge does not hear of what this one learns', async (t) => {
  t.match(headline({ peers: [peer(), peer({ state: 'itself' }), peer({ state: 'behind' })] }), { level: 'well' });
  t.match(headline({ peers: [peer({ state: 'unreachable', reason: 'connect ECONNREFUSED' })] }), {
    level: 'degraded',
    text: /The edge at https:\/\/edge-b\.lan \(10\.0\.0\.12:443\) cannot be reached since .* UTC: connect ECONNREFUSED\.$/,
  });
  const lost = peer({ url: 'https://edge-b.lan', address: undefined, state: 'stranger', reason: 'another keyFile' });
  t.match(headline({ peers: [lost] }).text, /The edge at https:\/\/edge-b\.lan does not know this one since/);
});
