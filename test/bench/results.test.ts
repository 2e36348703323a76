import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { type Run, record } from '../../bench/report/results.ts';
import type { Section } from '../../bench/report/section.ts';
import { atLeast, atMost } from '../../bench/report/target.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const RUN: Run = {
  args: ['--record'],
  began: new Date('2026-01-02T03:04:05Z'),
  ended: new Date('2026-01-02T03:34:05Z'),
  loads: { began: 0.1, ended: 2 },
  machine: ['two cores'],
  failures: ['coalescing could not be measured: no port'],
  folders: ['/somewhere/of/mine'],
};

const SECTION: Section = {
  title: 'Blobs',
  about: 'How fast.',
  columns: ['proxy', 'MB/s'],
  rows: [['edge', '1000']],
  chart: { name: 'speed', title: 'Speed', unit: 'MB/s', groups: [] },
  targets: [
    atLeast({ what: 'blob', value: 1.2, bound: 1.15, unit: ' x nginx', nginx: 1 }),
    atMost({ what: 'gap', value: Number.POSITIVE_INFINITY, bound: 0.2, unit: ' s' }),
  ],
  data: [{ back: Number.POSITIVE_INFINITY, log: '/somewhere/of/mine/edge.log' }],
  problems: ['it smoked'],
};

t.test('tables, targets, drawings and every number', async (t) => {
  const folder = temporaryFolder(t);
  await record(folder, [SECTION], RUN);
  const text = await readFile(join(folder, 'RESULTS.md'), 'utf8');
  t.match(text, '1 of 2 are met.');
  t.match(text, '| blob | >= 1.15 x nginx | 1.20 | 1.00 | yes |');
  t.match(text, '| gap | <= 0.2 s | none |  | **no** |');
  t.match(text, '| edge | 1000 |');
  t.match(text, '![Speed](speed.svg)');
  t.match(text, '- it smoked');
  t.match(text, 'coalescing could not be measured');
  t.match(await readFile(join(folder, 'speed.svg'), 'utf8'), /^<svg /);
  const json = JSON.parse(await readFile(join(folder, 'results.json'), 'utf8'));
  t.strictSame(json.sections[0].data, [{ back: 'Infinity', log: '…/edge.log' }], 'folders are not told');
  t.notOk('folders' in json);
});

t.test('what people wrote about the numbers stays', async (t) => {
  const folder = temporaryFolder(t);
  await writeFile(join(folder, 'RESULTS.md'), '# Old\n\nnumbers\n\n## What they show\n\nThat it is fast.\n');
  await record(folder, [SECTION], RUN);
  const text = await readFile(join(folder, 'RESULTS.md'), 'utf8');
  t.ok(text.endsWith('## What they show\n\nThat it is fast.\n'));
  t.notMatch(text, '# Old');
});

t.test('what a run has not measured stays as it was, with its run', async (t) => {
  const folder = temporaryFolder(t);
  await record(folder, [SECTION, { ...SECTION, title: 'Request coalescing' }], RUN);
  const later = {
    ...RUN,
    args: ['--record', '--only', 'blobs'],
    began: new Date('2026-02-02T03:04:05Z'),
    failures: [],
  };
  const faster = { ...SECTION, rows: [['edge', '2000']], targets: [] };
  await record(folder, [faster, { ...SECTION, title: 'Tokens', targets: [] }], later);
  const text = await readFile(join(folder, 'RESULTS.md'), 'utf8');
  t.match(text, /Recorded on 2026-01-02 by `npm run bench -- --record` within 30 minutes: Request coalescing\./);
  t.match(
    text,
    /Recorded on 2026-02-02 by `npm run bench -- --record --only blobs` within .* minutes: Blobs, Tokens\./,
  );
  t.match(text, '1 of 2 are met.', 'targets of both');
  const kept = () => readFile(join(folder, 'results.json'), 'utf8').then((json) => JSON.parse(json));
  t.match(await kept(), {
    runs: [{ args: RUN.args }, { args: later.args }],
    sections: [
      { title: 'Blobs', run: 1, rows: [['edge', '2000']] },
      { title: 'Request coalescing', run: 0, rows: [['edge', '1000']] },
      { title: 'Tokens', run: 1 },
    ],
  });
  await record(folder, [{ ...SECTION, title: 'Request coalescing' }], later);
  t.match(await kept(), {
    runs: [{ args: later.args }, { args: later.args }],
    sections: [{ run: 0 }, { run: 1 }, { run: 0 }],
  });
  t.equal((await kept()).runs.length, 2, 'a run of which nothing is left is forgotten');
});

t.test('what could not be measured is not met', async (t) => {
  t.equal(atLeast({ what: 'speed', value: Number.NaN, bound: 1, unit: '' }).met, false);
  t.equal(atMost({ what: 'gap', value: Number.NaN, bound: 1, unit: '' }).met, false);
});
