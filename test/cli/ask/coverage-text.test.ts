import t from 'tap';
import { coverageText, percentText } from '../../../src/cli/ask/coverage-text.ts';
import type { CoverageReport, RouteReport } from '../../../src/replication/coverage/report.ts';

const NOW = Date.UTC(2026, 10, 21, 3, 30);
const ago = (ms: number) => new Date(NOW - ms).toISOString();

function route(over: Partial<RouteReport> = {}): RouteReport {
  return {
    name: 'library/ on harbor -> gcr',
    prefix: 'library/',
    registry: null,
    source: 'harbor',
    target: 'gcr',
    targetState: 'up',
    sourceState: 'up',
    overdue: false,
    unknownSeconds: null,
    comparedAt: ago(300_000),
    failed: null,
    references: 1200,
    covered: 1200,
    missing: 0,
    stale: 0,
    unknown: 0,
    gone: 0,
    ratio: 1,
    lagSeconds: 0,
    repositories: 40,
    worst: [],
    withGaps: 0,
    waiting: 0,
    waitingTags: [],
    ...over,
  };
}

function text(over: Partial<CoverageReport> = {}): string {
  const routes = over.routes ?? [route()];
  return coverageText(
    {
      at: ago(0),
      verdict: 'covered',
      active: true,
      reason: 'replication.when is always',
      graceSeconds: 300,
      pulled: null,
      pullsKnownSince: ago(7_200_000),
      uncopied: [],
      ...over,
      routes,
    },
    NOW,
  );
}

t.test('all is covered', async (t) => {
  t.equal(
    text(),
    [
      'If harbor died now, all of 1,200 tags could be pulled.',
      '  route     from -> to     covered  tags   missing  stale  unknown  lag  compared',
      '  library/  harbor -> gcr  100%     1,200  0        0      0        -    5 min ago',
      '',
    ].join('\n'),
  );
});

t.test('what is missing, by name, since when and why', async (t) => {
  const gap = (reference: string, failure: string | null) => ({
    reference,
    state: 'missing' as const,
    since: ago(600_000),
    pulledAt: ago(60_000),
    failure,
  });
  const worst = [
    {
      repository: 'library/app',
      references: 20,
      missing: 3,
      stale: 0,
      unknown: 0,
      gaps: [gap('1.2', 'harbor lacks a blob'), gap(`sha256:${'a'.repeat(64)}`, null)],
    },
  ];
  const bad = route({ missing: 3, references: 120, covered: 117, ratio: 0.975, lagSeconds: 600, worst, withGaps: 4 });
  const shown = text({ verdict: 'incomplete', pulled: '7d', routes: [bad] });
  t.match(
    shown,
    /^If harbor died now, 3 of 120 images pulled within 7d could not be pulled\.\nPulls have been recorded for 2 h/,
  );
  t.match(shown, / {2}97\.5% +120 +3 +0 +0 +10 min +5 min ago\n/);
  t.match(shown, /^missing or stale on gcr, route library\/:\n {2}library\/app: 3 of 20 images\n/m);
  t.match(shown, /^ {5}1\.2 +missing for 10 min +pulled 60 s ago +harbor lacks a blob$/m);
  t.match(shown, /^ {5}sha256:aaaaaaaaaaaa… +missing/m);
  t.match(shown, /^ {4}and 1 more\n {2}and 3 repositories more$/m);
});

t.test('a fallback that is down serves nothing, whatever it has', async (t) => {
  const shown = text({ verdict: 'incomplete', routes: [route({ targetState: 'down' })] });
  t.match(
    shown,
    /^If harbor died now, nothing could be pulled from gcr\. It is down, or refuses this edge's credentials\.\n/,
  );
});

t.test('what has just changed is being copied', async (t) => {
  t.match(
    text({ routes: [route({ references: 14, covered: 12, unknown: 2, unknownSeconds: 12 })] }),
    /^If harbor died now, 12 of 14 tags could be pulled; being copied: 2, oldest 12 s\.\n/,
  );
  t.match(
    text({ verdict: 'incomplete', routes: [route({ missing: 1, unknown: 2, unknownSeconds: 12 })] }),
    /^If harbor died now, 1 of 1,200 tags could not be pulled; being copied: 2, oldest 12 s\.\n/,
  );
});

t.test('while the primary is down, it does not die now', async (t) => {
  t.match(
    text({ routes: [route({ sourceState: 'down' })] }),
    /^While harbor is down, all of 1,200 tags can be pulled\./,
  );
  t.match(
    text({ verdict: 'incomplete', routes: [route({ sourceState: 'down', missing: 1 })] }),
    /^While harbor is down, 1 of 1,200 tags cannot be pulled\./,
  );
  t.match(
    text({ verdict: 'incomplete', routes: [route({ sourceState: 'down', targetState: 'down' })] }),
    /^While harbor is down, nothing can be pulled from gcr\. It is down too, or refuses/,
  );
});

t.test('what is not known is said', async (t) => {
  t.match(
    text({ active: false, verdict: 'unknown', reason: 'another edge has 10.0.0.10' }),
    /^This edge does not know the coverage, because .*10\.0\.0\.10/,
  );
  t.match(
    text({ verdict: 'unknown', routes: [route({ comparedAt: null })] }),
    /^The coverage is not fully known yet.*\n(.*\n)+.*not yet$/m,
  );
  t.match(
    text({ verdict: 'unknown', routes: [route({ unknown: 3, unknownSeconds: 600 })] }),
    /^The coverage of 3 of 1,200 tags has been unknown for 10 min\./,
  );
  t.match(
    text({ verdict: 'unknown', routes: [route({ overdue: true })] }),
    /^The coverage is not fully known: no comparison of harbor and gcr has been complete for two times replication\.every\./,
  );
  const none = route({ references: 0, covered: 0, ratio: null });
  t.match(text({ verdict: 'unknown', routes: [none], pulled: '1h' }), /^No pull within 1h is recorded/);
  t.match(text({ verdict: 'unknown', routes: [none] }), /^There is nothing to copy/);
  t.match(
    text({ routes: [route({ failed: 'gcr answers 503' })] }),
    /5 min ago; the last comparison failed: gcr answers 503$/m,
  );
  t.match(
    text({ uncopied: [{ prefix: '', registry: null, push: 'harbor' }] }),
    /^everything else: not replicated; only harbor has what is pushed$/m,
  );
});

t.test('nothing that is missing is rounded away', async (t) => {
  t.equal(percentText(0.99999), '99.9%');
  t.equal(percentText(1), '100%');
  t.equal(percentText(0), '0%');
});
