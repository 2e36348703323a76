import t from 'tap';
import { measuredPart, measuredText, withMeasured } from './measured.ts';
import { commandsOf } from './page-commands.ts';

const PAGE = [
  '# A page',
  '',
  '```sh',
  'one --with \\',
  '  more',
  'two',
  '```',
  '',
  '```yaml',
  'no: command',
  '```',
  'In a line, `three` is none.',
  '',
  '<!-- measured: npm run quickstart -- --record -->',
  'Old words.',
  '<!-- end of what was measured -->',
  'The rest.',
  '',
].join('\n');

t.test('commands are the lines of the blocks of sh', async (t) => {
  t.strictSame(commandsOf(PAGE), ['one --with more', 'two']);
});

t.test('what was measured replaces what the page said before', async (t) => {
  t.equal(measuredPart(PAGE), 'Old words.');
  const followed = [20_000, 61_000].map((took) => ({ command: 'one', status: 0, took, output: '' }));
  const text = measuredText(followed, '2026-11-30');
  t.match(text, /^The 2 commands took 81 seconds together, .* on 2026-11-30\. The slowest one took 61 seconds\./);
  t.match(text.replaceAll('\n', ' '), /needs about 3 minutes/, '81 s, and half a minute for each');
  t.ok(text.split('\n').every((line) => line.length <= 140));
  const page = withMeasured(PAGE, text);
  t.equal(measuredPart(page), text);
  t.ok(page.endsWith('-->\nThe rest.\n'));
  t.throws(() => measuredPart('# Another page'), /has no lines/);
});
