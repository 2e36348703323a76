import t from 'tap';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import { OciError } from '../../../src/oci/error.ts';
import { readCoverageQuery } from '../../../src/replication/coverage/coverage-query.ts';
import { type CoverageInput, coverageReport } from '../../../src/replication/coverage/coverage-report.ts';
import { PulledLog } from '../../../src/replication/coverage/pulled-log.ts';
import type { CopyRouteView, CoveredRoute } from '../../../src/replication/replication-view.ts';
import { copyRouteView, coveredRoute } from '../made-view.ts';

const NOW = Date.UTC(2026, 10, 21, 3, 30);
const HOUR = 3_600_000;
const DIGEST = `sha256:${'a'.repeat(64)}`;
const GCR = { upstream: 'gcr', replicate: true };
const routes = [
  { prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor', replicate: false }, GCR] },
  { prefix: 'library/own/', push: 'harbor', pull: [{ upstream: 'harbor', replicate: false }] },
  { prefix: 'cache/', pull: [{ upstream: 'hub', replicate: false }] },
].map((one) => resolveRoute({ onAbsent: 'stop', staleTags: 'warn', anonymous: false, deletions: 'keep', ...one }));

const FOUND = [
  { repository: 'library/a', tags: 10, missing: ['1'], stale: [] },
  { repository: 'library/b', tags: 5, missing: ['1', '2'], stale: ['3'] },
  { repository: 'library/c', tags: 5, missing: [], stale: [] },
];
const ALL_WELL = FOUND.map((one) => ({ ...one, missing: [], stale: [] }));

const copying = (...covered: CoveredRoute[]): CoverageInput['replication'] => ({
  activity: { active: true, reason: 'replication.when is always' },
  graceMs: 300_000,
  routes: covered,
});

function input(over: Partial<CoverageInput> = {}): CoverageInput & { pulls: PulledLog } {
  const pulls = new PulledLog({ now: () => NOW });
  const replication = copying(coveredRoute(FOUND, {}, undefined, NOW - HOUR));
  return { replication, routes, pulls, ...over } as CoverageInput & { pulls: PulledLog };
}

const report = (of: CoverageInput, query = '') =>
  coverageReport(of, readCoverageQuery(new URLSearchParams(query)), { monotonic: NOW, wall: NOW });
const pull = (pulls: PulledLog, repository: string, reference: string) =>
  pulls.record({ registry: undefined, repository, reference, digest: DIGEST });

t.test('over everything: the worst and the missing by name', async (t) => {
  const failures = [
    {
      repository: 'library/b',
      reference: '2',
      since: '',
      tries: 3,
      reason: 'lacks a blob',
      passing: false,
      nextTry: null,
    },
  ];
  const view = copyRouteView(FOUND, { lagSeconds: 5 }, NOW - HOUR);
  const told = report(input({ replication: copying(coveredRoute(FOUND, { failures }, view)) }));
  t.match(told, { verdict: 'incomplete', active: true, pulled: null });
  t.match(told.routes, [
    { references: 20, covered: 16, missing: 3, stale: 1, unknown: 0, ratio: 0.8, repositories: 3, withGaps: 2 },
  ]);
  t.match(told.routes[0], { lagSeconds: 5, comparedAt: '2026-11-21T02:30:00.000Z' });
  t.strictSame(
    told.routes[0]?.worst.map(({ repository, gaps }) => [
      repository,
      gaps.map(({ reference, state, failure }) => `${reference} ${state} ${failure}`),
    ]),
    [
      ['library/b', ['1 missing null', '2 missing lacks a blob', '3 stale null']],
      ['library/a', ['1 missing null']],
    ],
  );
  t.strictSame(told.uncopied, [{ prefix: 'library/own/', registry: null, push: 'harbor' }]);
});

t.test('all is covered only where all was compared', async (t) => {
  const well = copyRouteView(ALL_WELL);
  const uncompared = (view: CopyRouteView) => ({ ...view, coverage: { ...view.coverage, comparedAt: null } });
  const verdict = (replication: CoverageInput['replication']) => report(input({ replication })).verdict;
  t.equal(verdict(copying(coveredRoute(ALL_WELL))), 'covered');
  t.equal(verdict(copying(coveredRoute(ALL_WELL), coveredRoute(ALL_WELL, {}, uncompared(well)))), 'unknown');
  const reconcile = {
    at: '',
    tookMs: 1,
    repositories: 0,
    tags: 0,
    gaps: 0,
    unconfirmed: 0,
    failed: 'gcr answers 503',
    failingSince: '',
  };
  const failing = coveredRoute(ALL_WELL, {}, { ...well, reconcile });
  t.equal(verdict(copying(failing)), 'unknown', 'tags that the last comparison did not see');
  t.equal(verdict(copying(coveredRoute(ALL_WELL, { targetState: 'down' }))), 'incomplete', 'it could serve nothing');
  t.equal(verdict(copying(coveredRoute(ALL_WELL, { targetState: 'unknown' }))), 'unknown');
  const resting = { activity: { active: false, reason: '' }, graceMs: 0, routes: [coveredRoute(ALL_WELL)] };
  t.equal(verdict(resting), 'unknown');
  t.equal(verdict(copying(coveredRoute([]))), 'unknown', 'a source that lists nothing may have no storage');
  t.equal(verdict(undefined), 'unknown');
  t.equal(report(input({ replication: undefined })).reason, 'no route has replicate: true');
  t.equal(verdict(copying(coveredRoute(FOUND, {}, uncompared(copyRouteView(FOUND))))), 'incomplete');
});

t.test('a report over pulled images', async (t) => {
  const of = input();
  for (const [repository, reference] of [
    ['library/a', '1'],
    ['library/a', '2'],
    ['library/b', '1'],
    ['library/b', '3'],
    ['library/b', '4'],
    ['library/new', '1'],
    ['library/own/x', '1'],
    ['elsewhere', '1'],
  ] as const)
    pull(of.pulls, repository, reference);
  const told = report(of, 'pulled=7d');
  t.match(told, { verdict: 'incomplete', pulled: '7d', pullsKnownSince: '2026-11-21T03:30:00.000Z' });
  t.match(told.routes, [
    { references: 6, covered: 2, missing: 2, stale: 1, unknown: 1, gone: 0, repositories: 3, withGaps: 3 },
  ]);
  t.match(told.routes[0]?.worst, [
    { repository: 'library/b', references: 3, missing: 1, stale: 1, unknown: 0 },
    { repository: 'library/a', references: 2, missing: 1 },
    {
      repository: 'library/new',
      references: 1,
      unknown: 1,
      gaps: [{ since: '2026-11-21T03:30:00.000Z', state: 'unknown' }],
    },
  ]);
  const pulledAt = new Date(NOW).toISOString();
  t.match(told.routes[0]?.worst[1]?.gaps, [
    { reference: '1', state: 'missing', pulledAt, since: '2026-11-21T02:30:00.000Z' },
  ]);
});

t.test('a pulled image is covered, unknown, or gone from the push upstream', async (t) => {
  const states: Record<string, 'covered' | 'gone' | 'unknown'> = { '1': 'covered', '2': 'gone' };
  const of = input({
    replication: copying(coveredRoute(ALL_WELL, { stateOf: (_, tag) => states[tag] ?? 'unknown' })),
  });
  t.equal(report(of, 'pulled=1h').verdict, 'unknown', 'nothing was pulled');
  pull(of.pulls, 'library/a', '1');
  pull(of.pulls, 'library/a', '2');
  t.match(report(of, 'pulled=1h'), { verdict: 'covered', routes: [{ references: 1, gone: 1, ratio: 1 }] });
  pull(of.pulls, 'library/a', DIGEST);
  const young = { verdict: 'covered', routes: [{ references: 2, unknown: 1, unknownSeconds: 0, ratio: 0.5 }] };
  t.match(report(of, 'pulled=1h'), young, 'it is being looked at');
  const later = (query: string, seconds: number) =>
    coverageReport(of, readCoverageQuery(new URLSearchParams(query)), {
      monotonic: NOW + seconds * 1000,
      wall: NOW + seconds * 1000,
    });
  t.match(later('pulled=1h', 300), { verdict: 'covered', graceSeconds: 300 });
  t.match(later('pulled=1h', 301), { verdict: 'unknown', routes: [{ unknownSeconds: 301 }] });
  t.equal(later('pulled=1h&grace=10m', 301).verdict, 'covered');
  t.equal(later('pulled=1h&grace=1s', 2).verdict, 'unknown');
});

t.test('what has changed may be unknown for a while, and the last comparison must not be old', async (t) => {
  const view = copyRouteView(ALL_WELL);
  const verdict = (over: Partial<CopyRouteView['coverage']>) =>
    report(
      input({ replication: copying(coveredRoute(ALL_WELL, {}, { ...view, coverage: { ...view.coverage, ...over } })) }),
    );
  t.match(verdict({ unknown: 2, unknownSeconds: 12 }), {
    verdict: 'covered',
    routes: [{ references: 20, covered: 18, unknown: 2, unknownSeconds: 12, ratio: 0.9 }],
  });
  t.match(verdict({ unknown: 2, unknownSeconds: 301 }), { verdict: 'unknown' });
  t.match(verdict({ overdue: true }), { verdict: 'unknown', routes: [{ overdue: true }] });
});

t.test('from a fallback that is down nothing can be pulled', async (t) => {
  const told = report(
    input({ replication: copying(coveredRoute(ALL_WELL, { targetState: 'down', sourceState: 'down' })) }),
  );
  t.match(told.routes, [{ references: 20, covered: 0, ratio: 0, missing: 0, sourceState: 'down' }]);
});

t.test('one route, and no more than the limit', async (t) => {
  const other = coveredRoute(ALL_WELL, {}, copyRouteView(ALL_WELL, { prefix: '' }));
  const of = input({ replication: copying(coveredRoute(FOUND), other) });
  t.match(report(of, 'route=*'), { verdict: 'covered', routes: [{ prefix: '' }], uncopied: [] });
  t.equal(report(of, 'route=library/').routes.length, 1);
  t.match(report(of, 'route=library/own/'), { routes: [], uncopied: [{}], verdict: 'unknown' });
  t.throws(() => report(of, 'route=cache/'), OciError);
  const [few] = report(of, 'limit=1').routes;
  t.equal(few?.worst.length, 1);
  t.equal(few?.worst[0]?.gaps.length, 1);
  t.match(few, { withGaps: 2, missing: 3 });
});

t.test('an invalid query is refused', async (t) => {
  for (const query of [
    'pulled=',
    'pulled=7',
    'pulled=0d',
    'pulled=32d',
    'pulled=7w',
    'pulled=-1d',
    'limit=0',
    'limit=x',
    'limit=1001',
    'grace=',
    'grace=5',
  ])
    t.throws(() => readCoverageQuery(new URLSearchParams(query)), OciError, query);
  t.match(readCoverageQuery(new URLSearchParams('pulled=90m&limit=7')), { pulledMs: 5_400_000, limit: 7 });
});

t.test('names have an end, whatever the limit', async (t) => {
  const names = Array.from({ length: 900 }, (_, number) => String(number));
  const many = Array.from({ length: 20 }, (_, number) => ({
    repository: `library/${number}`,
    tags: 900,
    missing: names,
    stale: [],
  }));
  const [route] = report(input({ replication: copying(coveredRoute(many)) }), 'limit=1000').routes;
  t.match(route, { missing: 18_000, withGaps: 20 });
  t.equal(route?.worst.flatMap(({ gaps }) => gaps).length, 10_000);
});
