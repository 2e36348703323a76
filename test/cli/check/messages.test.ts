import t from 'tap';
import { isShownIn, printedTexts, wordsOfTests } from './printed-texts.ts';

const TESTS = ['test/cli/check', 'test/config'];

t.test('every message of check is in a test', async (t) => {
  const tests = wordsOfTests(TESTS);
  for (const folder of ['src/cli/check', 'src/config']) {
    const texts = printedTexts(folder);
    t.ok(texts.length > 40, 'there are texts to look at');
    t.strictSame(
      texts.filter((text) => !isShownIn(tests, text)).map(({ file, text }) => `${file}: ${text}`),
      [],
      folder,
    );
  }
});
