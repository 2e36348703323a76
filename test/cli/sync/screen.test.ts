import { PassThrough } from 'node:stream';
import { mock } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { SyncScreen } from '../../../src/cli/sync/screen.ts';
import { SyncTally } from '../../../src/cli/sync/tally.ts';

t.test('off a terminal it is told every 10 seconds, also while nothing has to be sent', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const lines: string[] = [];
  const out = { isTTY: false, write: (line: string) => lines.push(line) > 0 } as unknown as NodeJS.WriteStream;
  const tally = new SyncTally();
  const screen = new SyncScreen(tally, out);
  t.strictSame(lines, [], 'nothing at the beginning');
  tally.addEvent({ kind: 'compared', repository: { source: 'app', target: 'app' }, same: 7, surplus: 0 });
  mock.timers.tick(10_000);
  tally.addEvent({ kind: 'planned', image: { repository: { source: 'b', target: 'b' }, tag: '1', state: 'missing' } });
  mock.timers.tick(10_000);
  screen.end();
  mock.timers.tick(60_000);
  t.equal(lines.length, 2, 'and no more at the end');
  t.match(lines[0], /^0 of at least 0 images, 0 B sent.*, 7 already there, comparing app\n$/);
  t.match(lines[1], /^0 of at least 1 image, /);
});

t.test('a terminal that has no size is told lines, as if it were none', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const lines: string[] = [];
  // As where nobody told a pseudo-terminal how large it is.
  const out = { isTTY: true, columns: 0, rows: 0, write: (line: string) => lines.push(line) > 0 };
  const screen = new SyncScreen(new SyncTally(), out as unknown as NodeJS.WriteStream);
  t.equal(screen.hasBars, false);
  mock.timers.tick(10_000);
  screen.end();
  t.match(lines, [/^0 of at least 0 images/]);
});

t.test('bars on a terminal are drawn over the last ones, wrapped lines included, and removed at the end', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const written: string[] = [];
  const out = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24, getColorDepth: () => 1 });
  out.setEncoding('utf8').on('data', (text: string) => written.push(text));
  const screen = new SyncScreen(new SyncTally(), out as unknown as NodeJS.WriteStream);
  await setImmediate();
  const lines = written[0]?.trimEnd().split('\n').length ?? 0;
  t.ok(lines >= 1 && !written[0]?.includes('\x1b['), 'the first drawing moves nothing');
  out.columns = 30;
  mock.timers.tick(100);
  await setImmediate();
  t.ok(written[1]?.startsWith(`\x1b[${lines}F\x1b[J`), 'the second one stands in its place');
  const wide = written[1]?.replace(`\x1b[${lines}F\x1b[J`, '').trimEnd().split('\n') ?? [];
  const height = wide.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 30)), 0);
  screen.end();
  await setImmediate();
  t.equal(written.at(-1), `\x1b[${height}F\x1b[J`, 'nothing is left');
  mock.timers.tick(1000);
  await setImmediate();
  t.equal(written.length, 3, 'and nothing is drawn after it');
});
