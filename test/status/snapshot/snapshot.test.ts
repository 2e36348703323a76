import { readFile } from 'node:fs/promises';
import t from 'tap';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import { down, NOW, replica, snapshotOf, upstream } from './views.ts';

const iso = (ms: number) => new Date(ms).toISOString();

t.test('has the shape that the status API promises', async (t) => {
  const snapshot = snapshotOf({
    upstreams: [down('harbor', { kind: 'harbor', readOnly: true, unhealthy: ['database'] }), upstream('gcr')],
  });
  const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
  t.match(snapshot, {
    version,
    hostname: 'cr.example.io',
    startedAt: iso(NOW - 60_000_000),
    at: iso(NOW),
    ready: true,
    failovers: [],
  });
  const since = iso(NOW - 18 * 60_000);
  t.same(snapshot.upstreams[0], {
    name: 'harbor',
    state: 'down',
    since,
    reason: 'canary read timed out',
    kind: 'harbor',
    readOnly: true,
    unhealthy: ['database'],
    referrers: 'unknown',
    canaryImage: 'library/canary:latest',
    pushes: { admitted: false, mode: 'refusing', since, reason: 'canary read timed out' },
    accounts: [],
    corrupt: { count: 0, copies: [] },
    outrun: 0,
    urls: [
      {
        url: 'https://harbor.lan',
        state: 'down',
        since,
        reason: 'canary read timed out',
        canary: 'failing',
        proof: { state: 'proven', since: iso(NOW - 600 * 60_000), reason: 'content was seen' },
        lastProbeAt: iso(NOW - 1_000),
        probeMs: 12,
        breakers: { control: 'closed', data: 'closed', push: 'closed', passthrough: 'closed' },
        suspected: false,
        slow: false,
        restingUntil: null,
        inFlight: { data: 3, control: 1 },
        waiting: { data: 0, control: 0 },
        firstByteP95Ms: { data: 31, control: 8 },
      },
    ],
  });
  t.equal(snapshot.upstreams[1]?.pushes, undefined, 'only push upstreams have a gate');
  t.same(snapshot.routes, [
    {
      prefix: 'library/',
      push: 'harbor',
      onAbsent: 'stop',
      pull: [
        { upstream: 'harbor', prefix: 'library/', replicate: false },
        { upstream: 'gcr', prefix: 'example-project/', replicate: true },
      ],
    },
  ]);
});

t.test('says null for what is not known, survives JSON, and hides credentials in URLs', async (t) => {
  const url = 'https://user:secret@harbor.lan/base';
  const fresh = replica({
    url,
    canary: 'failing',
    lastProbeAt: undefined,
    probeMs: undefined,
    retryAfterUntil: NOW + 5_000,
  });
  const routes = [
    resolveRoute({
      prefix: '',
      registry: 'docker.io',
      onAbsent: 'next',
      staleTags: 'warn',
      deletions: 'keep',
      anonymous: false,
      pull: [{ upstream: 'harbor', replicate: false }],
    }),
  ];
  const snapshot = snapshotOf({ upstreams: [upstream('harbor', { replicas: [fresh] })], routes });
  t.same(JSON.parse(JSON.stringify(snapshot)), snapshot);
  t.match(snapshot.upstreams[0]?.urls[0], {
    url: 'https://harbor.lan/base',
    lastProbeAt: null,
    probeMs: null,
    canary: 'unknown',
    restingUntil: iso(NOW + 5_000),
  });
  t.notMatch(JSON.stringify(snapshot), 'secret');
  t.match(snapshot.routes[0], { prefix: '', registry: 'docker.io', onAbsent: 'next' });
});

t.test('shows the last 50 corrupt copies of an upstream, newest first', async (t) => {
  const corruptCopies = Array.from({ length: 60 }, (_, index) => ({
    upstream: 'gcr',
    digest: `sha256:${index}`,
    since: NOW + index,
  }));
  const [harbor, gcr] = snapshotOf({ corruptCopies }).upstreams;
  t.same(harbor?.corrupt, { count: 0, copies: [] });
  t.equal(gcr?.corrupt.count, 60);
  t.equal(gcr?.corrupt.copies.length, 50);
  t.same(gcr?.corrupt.copies[0], { digest: 'sha256:59', since: iso(NOW + 59) });
});
