import t from 'tap';
import type { CopyRouteView, FailureView } from '../../../src/replication/replication-view.ts';
import { copyRouteView, replicationView } from '../../replication/made-view.ts';
import { down, NOW, replica, snapshotOf, upstream } from './views.ts';

const MINUTE = 60_000;
const FOUND = { repository: 'library/app', tags: 120, missing: ['1.1', '1.2'], stale: ['latest'] };

const copied = (over: Partial<CopyRouteView>, found = [FOUND]) =>
  replicationView([copyRouteView(found, over, NOW - 12 * MINUTE)]);
const headline = (replication = copied({}), upstreams = [upstream('harbor'), upstream('gcr')]) =>
  snapshotOf({ replication, upstreams }).headline;
const failure = (over: Partial<FailureView> = {}): FailureView => ({
  repository: 'library/app',
  reference: '1.1',
  since: new Date(NOW - 12 * MINUTE).toISOString(),
  tries: 3,
  reason: 'harbor lacks a blob',
  passing: false,
  nextTry: null,
  ...over,
});

t.test('says what could not be pulled, by name, and why', async (t) => {
  const failures = [failure({ reason: 'gcr answers 503', passing: true }), failure()];
  t.match(headline(copied({ lagSeconds: 720, failing: 2, failures })), {
    level: 'degraded',
    lines: [
      /Pulls/,
      /Pushes/,
      'If harbor died now, 3 of 120 tags could not be pulled: library/app:1.1, library/app:1.2, library/app:latest (harbor lacks a blob).',
    ],
  });
});

t.test('a primary that is only rate-limited is not called down', async (t) => {
  const limited = upstream('harbor', { replicas: [replica({ retryAfterUntil: NOW + 5000 })] });
  const { text } = headline(copied({ lagSeconds: 720 }), [limited, upstream('gcr')]);
  t.match(text, /If harbor died now, 3 of 120 tags could not be pulled/);
});

t.test('while the primary is down, the line says which tags cannot be pulled', async (t) => {
  const { text } = headline(copied({ lagSeconds: 720 }), [down('harbor'), upstream('gcr')]);
  t.match(text, /While harbor is down, 3 of 120 tags cannot be pulled: library\/app:1\.1, /);
});

t.test('a gap degrades the level at once', async (t) => {
  t.match(headline(copied({ lagSeconds: 0 })), { level: 'degraded', lines: { length: 3 } });
});

t.test('a tag that changed is no news until it has been unknown for too long', async (t) => {
  const route = copyRouteView([{ ...FOUND, missing: [], stale: [] }]);
  const gap = { repository: 'library/app', missing: 0, stale: 0, unknown: 1, tags: ['2'], since: null };
  const shown = (over: Partial<CopyRouteView['coverage']>) =>
    headline(replicationView([{ ...route, coverage: { ...route.coverage, ...over }, gaps: [gap] }]));
  t.match(shown({ unknown: 1, unknownSeconds: 300 }), { level: 'well', lines: { length: 2 } });
  t.match(shown({ unknown: 1, unknownSeconds: 361 }), {
    level: 'degraded',
    text: /A tag of harbor has changed, and for 6 min it has been unknown whether gcr has it: library\/app:2\./,
  });
  t.match(shown({ unknown: 2, unknownSeconds: 361 }).text, /2 tags of harbor have changed/);
  t.match(shown({ overdue: true }), {
    level: 'degraded',
    text: /no comparison has been complete for two times replication\.every/,
  });
});

t.test('with both down nothing can be pulled', async (t) => {
  const { text } = headline(copied({ lagSeconds: 720 }), [down('harbor'), down('gcr')]);
  t.match(text, /While harbor and gcr are down, nothing of what was copied can be pulled\./);
  t.notMatch(text, /of 120 tags/);
});

t.test('shows only a few names, of all routes from the same upstream together', async (t) => {
  const names = Array.from({ length: 1500 }, (_, number) => String(number));
  const one = copyRouteView([{ ...FOUND, tags: 2000, missing: names, stale: [] }], { lagSeconds: 60 }, NOW);
  const { text } = headline(replicationView([one, { ...one, prefix: 'team/' }]));
  t.match(text, /3,000 of 4,000 tags could not be pulled: library\/app:0, library\/app:1, [^ ]+, [^ ]+ and 2,996 more/);
});

t.test('images that are pulled by digest count too', async (t) => {
  const reference = `sha256:${'a'.repeat(64)}`;
  const all = copied({ lagSeconds: 360, failing: 1, failures: [failure({ reference })] }, [
    { ...FOUND, missing: [], stale: [] },
  ]);
  t.match(headline(all), {
    level: 'degraded',
    text: /some images pulled by digest could not be pulled: library\/app@sha256:aaaaaaaaaaaa \(harbor lacks a blob\)\./,
  });
});

t.test('a comparison that keeps failing', async (t) => {
  const failing = (minutes: number) =>
    copied(
      {
        reconcile: {
          at: new Date(NOW).toISOString(),
          tookMs: 1,
          repositories: 0,
          tags: 0,
          gaps: 0,
          unconfirmed: 0,
          failed: 'harbor lists nothing (403)',
          failingSince: new Date(NOW - minutes * MINUTE).toISOString(),
        },
      },
      [],
    );
  t.match(headline(failing(0.5)), { level: 'well', lines: { length: 2 } });
  t.match(headline(failing(2)), { level: 'well', lines: { length: 3 } });
  t.match(headline(failing(6)), {
    level: 'degraded',
    text: /It is unknown which tags of harbor are missing on gcr: their comparison fails \(harbor lists nothing \(403\)\)\./,
  });
});

t.test('an edge that does not copy says nothing about coverage', async (t) => {
  t.match(headline({ ...copied({ lagSeconds: 720 }), active: false }), { level: 'well', lines: { length: 2 } });
});
