import t from 'tap';
import { statusText } from '../../../src/cli/ask/status-text.ts';
import { SinceStart } from '../../../src/status/since-start.ts';
import { copyRouteView, replicationView } from '../../replication/made-view.ts';
import { down, NOW, pullRecord, replica, snapshotOf, upstream } from '../../status/snapshot/views.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

t.test('the status when all is well', async (t) => {
  const lines = statusText(snapshotOf(), NOW).split('\n');
  t.same(lines.slice(0, 3), ['Pulls are served by harbor.', 'Pushes go to harbor.', '']);
  t.match(
    lines[4],
    /^ {2}harbor {2}up {2}for 10 h {2}canary good {2}p95 31 \/ 8 ms {2}https:\/\/harbor\.lan {2}canary/,
  );
  t.same(lines.slice(6), [
    'pushes to harbor: admitted',
    'since the edge started:',
    '  0 hedged requests',
    '  0 downloads resumed on another upstream',
    '  0 blobs verified',
    '  0 tags served with a warning',
    'in memory: 1,234 tags in the ledger, 56 manifests (1.2 MB)',
    'no failover since the edge started',
    '',
  ]);
});

t.test('what is wrong with a URL', async (t) => {
  const breakers = { control: 'closed', data: 'open', push: 'closed', passthrough: 'closed' } as const;
  const none = { control: undefined, data: undefined };
  const url = replica({ breakers, suspected: true, slow: true, waiting: { control: 1, data: 2 }, firstByteP95: none });
  const text = statusText(snapshotOf({ upstreams: [upstream('harbor', { replicas: [url] }), upstream('gcr')] }), NOW);
  t.match(text, /^ {2}harbor .* good +https.* {2}\[data breaker open, slow to answer, 3 requests queued\]$/m);
  const failing = replica({ canary: 'failing', suspected: true, retryAfterUntil: NOW + 1001 });
  t.match(
    statusText(snapshotOf({ upstreams: [upstream('harbor', { replicas: [failing] })] }), NOW),
    /canary failing .* last good probe: canary read in 12 ms {2}\[rate-limited for 2 s, requests failed since the last good probe\]$/m,
  );
});

t.test('credentials that are refused', async (t) => {
  const refusal = { since: NOW - 120_000, reason: 'it answers 403', total: false };
  const text = statusText(
    snapshotOf({ upstreams: [upstream('harbor', { credentials: { own: true, refusal } }), upstream('gcr')] }),
    NOW,
  );
  t.match(text, /^credentials for harbor: refused for 2 min \(it answers 403\)$/m);
});

t.test('the status with many problems', async (t) => {
  const sinceStart = new SinceStart();
  const splice = { from: 'harbor', reason: 'stall', at: 1, ms: 2 } as const;
  sinceStart.record(
    pullRecord({
      hedges: { started: 3, won: 1, refused: 2 },
      splices: [{ ...splice, to: 'gcr' }, splice],
      verified: 'wrong',
      tag: { verdict: 'stale', action: 'warned', text: 'older' },
    }),
  );
  const corruptCopies = 'abcdefg'
    .split('')
    .map((letter, index) => ({ upstream: 'harbor', digest: digest(letter), since: NOW + index }));
  const text = statusText(
    snapshotOf({
      upstreams: [down('harbor'), upstream('gcr')],
      sinceStart,
      corruptCopies,
      tagWarnings: [
        {
          at: new Date(NOW - 60_000).toISOString(),
          repository: 'library/app',
          tag: 'v1',
          upstream: 'gcr',
          text: `tag v1 at gcr is ${digest('a')}, older`,
          count: 3,
        },
      ],
    }),
    NOW,
  );
  const contentLost = {
    since: NOW - 7_200_000,
    noticedAt: NOW - 60_000,
    gone: 2,
    images: ['library/a:1', 'library/b:2'],
  };
  t.match(
    statusText(snapshotOf({ upstreams: [upstream('harbor', { contentLost })] }), NOW),
    /^content of harbor: lost what was pushed in the last 2 h, 2 pushes \(library\/a:1, library\/b:2\), noticed 60 s ago; restore it, or run breakwater accept harbor$/m,
  );
  const behind = [{ peer: '10.0.0.12', since: new Date(NOW - 60_000).toISOString() }];
  t.match(
    statusText(snapshotOf({ acknowledgements: { late: 1, behind } }), NOW),
    /do not wait for, because they do not acknowledge in time:\n {2}10\.0\.0\.12 +for 60 s$/m,
  );
  const unseen = (reader: 'probe' | undefined, ...repositories: string[]) => {
    const contentUnseen = { since: NOW - 7_200_000, reader, repositories };
    return statusText(snapshotOf({ upstreams: [upstream('harbor', { contentUnseen })] }), NOW);
  };
  t.match(unseen(undefined), /^content of harbor: unknown for 2 h \(there are no credentials to look for it\)$/m);
  t.match(
    unseen('probe', 'team/a', 'team/b'),
    /^content of harbor: unknown for 2 h in team\/a, team\/b \(the probe account may not read it\)$/m,
  );
  t.match(text, /^pushes to harbor: refused for 18 min \(canary read timed out\)$/m);
  t.match(
    text,
    /^corrupt blobs on harbor, to be repaired as docs\/splicing\.md says:\n {2}sha256:g{64}\n(.*\n){4} {2}and 2 more$/m,
  );
  t.match(
    text,
    /^since the edge started:\n {2}3 hedged requests \(1 won, 2 over budget\)\n {2}1 download resumed on another upstream \(1 broken\)\n {2}1 blob verified \(1 corrupt\)\n {2}1 tag served with a warning\n/m,
  );
  t.match(
    text,
    /^tags served with a warning:\n {2}60 s ago {2}library\/app:v1 {2}tag v1 at gcr is sha256:aaaaaaaaaaaa…, older$/m,
  );
});

t.test('coverage and failing copies of each route', async (t) => {
  const found = [{ repository: 'library/app', tags: 120, missing: ['1.1'], stale: ['latest'] }];
  const failure = {
    repository: 'library/app',
    reference: '1.1',
    since: new Date(NOW - 600_000).toISOString(),
    tries: 2,
    reason: 'harbor lacks a blob',
    passing: false,
    nextTry: null,
  };
  const one = copyRouteView(found, { lagSeconds: 600, failing: 7, failures: [failure] }, NOW - 300_000);
  const empty = copyRouteView([], { prefix: '' });
  const other = { ...empty, coverage: { ...empty.coverage, comparedAt: null } };
  const view = replicationView([one, other], {
    bytes: 5_000_000,
    copies: { copied: 1234, same: 0, absent: 0, deleted: 0, failed: 0 },
    queue: { waiting: 3, running: 1, failed: 7 },
  });
  const text = statusText(snapshotOf({ replication: view }), NOW);
  t.match(text, /^replication: 1,234 images copied \(5\.0 MB\), 1 running, 3 queued$/m);
  t.match(
    text,
    /^ {2}library\/ +harbor -> gcr +98\.3% of 120 tags +2 missing or stale for 10 min +compared 5 min ago$/m,
  );
  t.match(text, /^ {2}everything else +harbor -> gcr +- +not compared yet$/m);
  t.match(
    text,
    /^ {2}cannot be copied to gcr:\n +for 10 min +library\/app:1\.1 +2 tries, next at a comparison +harbor lacks a blob\n +and 6 more$/m,
  );
  const allFail = { ...one, allFailSince: new Date(NOW - 180_000).toISOString() };
  t.match(
    statusText(snapshotOf({ replication: { ...view, routes: [allFail] } }), NOW),
    /^ {2}all copies to gcr fail for 3 min; one is tried every 2 s, and each push once\n {2}cannot be copied to gcr:$/m,
  );
  const later = { ...failure, passing: true, nextTry: new Date(NOW + 30_000).toISOString() };
  const due = { ...later, reference: '1.2', nextTry: new Date(NOW - 1).toISOString() };
  t.match(
    statusText(snapshotOf({ replication: { ...view, routes: [{ ...one, failures: [later, due] }] } }), NOW),
    /library\/app:1\.1 +2 tries, next in 30 s +harbor.*\n.*library\/app:1\.2 +2 tries, next now +harbor/,
  );
  const resting = { ...view, active: false, reason: 'another edge has 10.0.0.10' };
  t.match(
    statusText(snapshotOf({ replication: resting }), NOW),
    /^replication: this edge does not copy \(another edge has 10\.0\.0\.10\)$/m,
  );
  t.notMatch(statusText(snapshotOf(), NOW), /replication/);
});
