import t from 'tap';
import { eventLine, isComplete, reportText, type SyncReport } from '../../../src/cli/sync/report.ts';
import { SyncTally } from '../../../src/cli/sync/tally.ts';
import type { SyncImage } from '../../../src/replication/sync/sync-event.ts';

const report: SyncReport = { from: 'harbor', to: 'gcr', dryRun: false, end: 'done', newer: false, ms: 1500, notes: [] };
const repository = { source: 'library/app', target: 'project/app' };
const image: SyncImage = { repository, tag: 'v1', state: 'differs' };
const digest = `sha256:${'a'.repeat(64)}`;
const blobs = { uploaded: 2, mounted: 1, there: 3 };
const result = { digest, outcome: 'copied', manifests: 1, bytes: 1_200_000, blobs } as const;

function tallyOf(...events: Parameters<SyncTally['addEvent']>[0][]): SyncTally {
  const tally = new SyncTally();
  for (const event of events) tally.addEvent(event);
  return tally;
}

t.test('lines about single images', async (t) => {
  t.equal(eventLine({ kind: 'planned', image }, true), 'would copy  library/app:v1 -> project/app:v1 (another digest)');
  t.equal(eventLine({ kind: 'planned', image }, false), undefined);
  const copied = eventLine({ kind: 'copied', image, result, ms: 12_345 }, false);
  t.equal(copied, 'copied      library/app:v1 -> project/app:v1 (1.2 MB, 12 s)');
  t.equal(
    eventLine({ kind: 'failed', repository, image, reason: `no ${digest}` }, false),
    'failed      library/app:v1 -> project/app:v1: no sha256:aaaaaaaaaaaa…',
  );
  t.equal(
    eventLine({ kind: 'failed', repository, image: undefined, reason: 'why' }, false),
    'failed      library/app: why',
  );
});

t.test('all is there', async (t) => {
  const tally = tallyOf(
    { kind: 'compared', repository, same: 1000, surplus: 2 },
    { kind: 'planned', image },
    { kind: 'began', image },
    { kind: 'copied', image, result, ms: 1 },
  );
  t.equal(
    reportText(tally, report),
    'harbor -> gcr: 1 repository, images: 1,000 already there, 1 copied, 2 only on gcr\n' +
      '1.2 MB in 1.5 s, 800 kB/s; 2 blobs sent, 1 mounted\n',
  );
  t.equal(isComplete(tally, report), true);
  for (const end of ['failed', 'interrupted', 'gave-up'] as const)
    t.equal(isComplete(tally, { ...report, end }), false, end);
});

t.test('something is missing', async (t) => {
  const planned = tallyOf({ kind: 'compared', repository, same: 1, surplus: 0 }, { kind: 'planned', image });
  t.equal(isComplete(planned, report), false, 'what was not come to');
  t.equal(isComplete(planned, { ...report, dryRun: true }), false);
  const failed = tallyOf({ kind: 'compared', repository, same: 1, surplus: 0 });
  for (let index = 0; index < 1200; index += 1) failed.fail(`reason ${index}`, 'library/app', `v${index}`);
  t.equal(isComplete(failed, report), false);
  t.equal(failed.failures.length, 1000, 'no more are kept');
  const text = reportText(failed, report);
  t.match(text, /, 1,200 failed\nnot copied:\n {2}library\/app:v0: reason 0\n/);
  t.match(text, /\n {2}library\/app:v49: reason 49\n {2}and 1,150 more, in the lines above\n$/);
  t.equal(isComplete(new SyncTally(), report), false, 'nothing was found');
});

t.test('what was kept is there, and told', async (t) => {
  const tally = tallyOf({ kind: 'compared', repository, same: 0, surplus: 0 }, { kind: 'kept', image });
  t.equal(isComplete(tally, report), true);
  t.match(reportText(tally, report), /1 not replaced on gcr\nUse --replace to take the tags of harbor\.\n$/);
});

t.test('an end before the end, and notes', async (t) => {
  const tally = tallyOf({ kind: 'compared', repository, same: 1, surplus: 0 });
  t.match(reportText(tally, { ...report, end: 'interrupted' }), /Interrupted\. Run the command again/);
  t.match(reportText(tally, { ...report, end: 'gave-up' }), /Stopped, because too many images in a row failed/);
  t.match(reportText(tally, { ...report, notes: ['so it is'] }), /\nso it is\n$/);
});

t.test('tags of which it is not known whether they are newer', async (t) => {
  const reason = 'neither the ledger nor push times tell which one is newer';
  const newer: SyncReport = { ...report, from: 'gcr', to: 'harbor', newer: true };
  const undecided = { kind: 'undecided', image, reason } as const;
  t.equal(eventLine(undecided, false), `undecided   library/app:v1 -> project/app:v1 (${reason})`);
  const kept = { kind: 'kept', image, reason: 'newer on harbor, by the ledger' } as const;
  t.equal(eventLine(kept, false), 'kept        library/app:v1 -> project/app:v1 (newer on harbor, by the ledger)');
  const compared = { kind: 'compared', repository, same: 3, surplus: 0 } as const;
  t.equal(isComplete(tallyOf(compared, undecided), newer), false, 'a finding');
  t.match(reportText(tallyOf(compared, undecided), newer), /1 undecided\nUndecided tags were left\. .*--replace/);
  t.match(reportText(tallyOf(undecided), newer), /Undecided tags were left/, 'something was found');
  t.equal(isComplete(tallyOf(compared, kept), newer), true);
  t.notMatch(reportText(tallyOf(compared, kept), newer), /Use --replace/);
});
