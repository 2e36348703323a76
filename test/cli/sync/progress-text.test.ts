import fc from 'fast-check';
import t from 'tap';
import { progressLine, progressLines } from '../../../src/cli/sync/progress-text.ts';
import { SyncTally } from '../../../src/cli/sync/tally.ts';
import type { SyncImage } from '../../../src/replication/sync/sync-event.ts';

const imageOf = (source: string, tag: string): SyncImage => ({
  repository: { source, target: `there/${source}` },
  tag,
  state: 'missing',
});

/** A tally with images in progress: bytes sent, and expected. */
function tallyOf(inProgress: [name: string, sent: number, expected: number][], done = 0): SyncTally {
  const tally = new SyncTally();
  tally.offered.all = true;
  for (const [name, sent, expected] of inProgress) {
    const image = imageOf(name, 'v1');
    tally.addEvent({ kind: 'planned', image });
    tally.addEvent({ kind: 'began', image });
    tally.addEvent({ kind: 'expected', image, bytes: expected });
    tally.addEvent({ kind: 'sent', image, bytes: sent });
  }
  for (let index = 0; index < done; index += 1) {
    const image = imageOf('done', `v${index}`);
    const blobs = { uploaded: 1, mounted: 0, there: 0 };
    tally.addEvent({ kind: 'planned', image });
    tally.addEvent({ kind: 'began', image });
    tally.addEvent({
      kind: 'copied',
      image,
      ms: 1,
      result: { digest: 'x', outcome: 'copied', manifests: 1, bytes: 5, blobs },
    });
  }
  return tally;
}

t.test('at 80 columns', async (t) => {
  const tally = tallyOf(
    [
      ['library/app', 45_200_000, 120_000_000],
      ['library/platform/some-very-long-application-name', 0, 0],
    ],
    2,
  );
  t.strictSame(progressLines({ tally, rate: 85_300_000, left: 61_000 }, { columns: 80, rows: 24, unicode: true }), [
    '  library/app:v1                      ███████░░░░░░░░░░░░░░   45.2 MB of 120 MB',
    '  library/platform/…plication-name:v1 ░░░░░░░░░░░░░░░░░░░░░           comparing',
    '████████████████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  2 of 4 images',
    '45.2 MB sent   85.3 MB/s   61 s left',
  ]);
});

t.test('no line is ever wider than the terminal, nor the whole higher', async (t) => {
  const name = fc.stringMatching(/^[a-z]{1,20}(\/[a-z]{1,60}){0,4}$/);
  const bytes = fc.nat({ max: 10 ** 13 });
  const one = fc.tuple(name, bytes, bytes);
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 64 }),
        fc.integer({ min: 41, max: 300 }),
        fc.integer({ min: 7, max: 60 }),
        fc.boolean(),
        (images, columns, rows, unicode) => {
          const tally = tallyOf(images);
          tally.last = 'a-repository/'.repeat(10);
          tally.offered.all = false;
          tally.fail('x');
          const progress = { tally, rate: 10 ** 12, left: 10 ** 12 };
          const lines = progressLines(progress, { columns, rows, unicode });
          return lines.length < rows && lines.every((line) => line.length < columns);
        },
      ),
    ),
  );
});

t.test('off a terminal one line, and ASCII where there is nothing else', async (t) => {
  const tally = tallyOf([['library/app', 5_000_000, 10_000_000]]);
  tally.fail('x');
  t.equal(progressLine({ tally, rate: undefined, left: undefined }), '0 of 1 image, 5.0 MB sent, 1 failed');
  const [line = ''] = progressLines({ tally, rate: 1, left: 1 }, { columns: 60, rows: 24, unicode: false });
  t.match(line, /^ {2}library\/app:v1 +#+\.+ +5\.0 MB of 10\.0 MB$/);
});

t.test('while there is more to compare, what is known is the least', async (t) => {
  const tally = tallyOf([['library/app', 1, 2]]);
  tally.offered.all = false;
  tally.addEvent({ kind: 'compared', repository: { source: 'library/zoo', target: 'x' }, same: 1234, surplus: 0 });
  const text = progressLines({ tally, rate: 1, left: undefined }, { columns: 100, rows: 24, unicode: true }).join('\n');
  t.match(text, /0 of at least 1 image\n1 B sent {3}1 B\/s {3}1,234 already there {3}comparing library\/zoo$/);
});
