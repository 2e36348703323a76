import t from 'tap';
import { wrapWords } from '../../../src/cli/lab/word-wrap.ts';

t.test('lines are broken between words', async (t) => {
  t.equal(wrapWords('  one two three four five', 20), '  one two three four\n    five');
  t.equal(wrapWords('short\n\nlines stay', 20), 'short\n\nlines stay');
  t.equal(wrapWords(`${'x'.repeat(30)} y`, 20), `${'x'.repeat(30)}\n  y`, 'a word that is too long has its own line');
  t.equal(
    wrapWords('\u001b[32mok\u001b[39m exactly 20 cols.', 20),
    '\u001b[32mok\u001b[39m exactly 20 cols.',
    'colours take no room',
  );
  t.equal(wrapWords('a  b   c', 20), 'a  b   c', 'blanks stay');
});

t.test('nothing is broken off a terminal', async (t) => {
  const text = 'word '.repeat(100).trim();
  t.equal(wrapWords(text, undefined), text);
});
