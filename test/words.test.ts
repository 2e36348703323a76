import t from 'tap';
import { markdownFiles, parsePage, readPage, wordsOf } from './helpers/markdown.ts';
import { declaredNames, hasWord, privateNames, wordsOfName } from './words/declared-names.ts';
import { PRIVATE_WORDS } from './words/private-words.ts';

const MOST_WORDS = 30;

// Texts of others that are taken word for word.
const VERBATIM = ['CODE_OF_CONDUCT.md'];

t.test('no sentence of a page is longer than 30 words', async (t) => {
  const files = markdownFiles().filter((file) => !VERBATIM.includes(file));
  t.ok(files.length > 25, 'there are pages to read');
  for (const file of files) {
    const long = readPage(file).sentences.filter((sentence) => wordsOf(sentence).length > MOST_WORDS);
    t.strictSame(long, [], file);
  }
});

t.test('no declared name has a private word', async (t) => {
  t.strictSame(privateNames(), []);
});

t.test('sentences are found where people read them', async (t) => {
  const page = parsePage(
    'page.md',
    [
      '# A title',
      'One sentence, e.g. this one. Another',
      'one with `a piece of code. Or two`.',
      '',
      '- An item. Its second sentence.',
      '- `code` first: [a link. And more](there.md)',
      '- [docs/a.md](docs/a.md) is next. [b/](b/) too.',
      '',
      '| a cell. Not prose |',
      '|---|',
      '| [but a link](here.md#x) |',
      '',
      '```',
      'Code. Not prose.',
      '```',
    ].join('\n'),
  );
  t.strictSame(page.sentences, [
    'One sentence, e.g. this one.',
    'Another one with Code.',
    'An item.',
    'Its second sentence.',
    'Code first: a link.',
    'And more',
    'Code is next.',
    'Code too.',
  ]);
  t.strictSame(page.links, ['there.md', 'docs/a.md', 'b/', 'here.md#x']);
  t.strictSame([...page.anchors], ['a-title']);
  t.equal(wordsOf("X-Request-Id isn't longer than 64 KiB, 1.5 s or 10 %.").length, 10);
});

t.test('a private word is found as a whole word of a name', async (t) => {
  t.equal(PRIVATE_WORDS.length, 25);
  t.strictSame(wordsOfName('#ownHTTPRequest2'), ['own', 'http', 'request2']);
  for (const name of ['Herd', 'isRotten', 'herd-size', 'takeTurnsWith', '#HERD'])
    t.ok(
      PRIVATE_WORDS.some((word) => hasWord(name, word)),
      name,
    );
  for (const name of ['shepherd', 'essay', 'resource', 'takeFewerTurns'])
    t.notOk(
      PRIVATE_WORDS.some((word) => hasWord(name, word)),
      name,
    );
});

t.test('declared names of every kind are found in src, test and bench', async (t) => {
  const names = declaredNames();
  for (const folder of ['src', 'test', 'bench']) t.ok(names.some(({ file }) => file.startsWith(`${folder}/`)));
  const here = names.filter(({ file }) => file === 'test/words/declared-names.ts');
  for (const [kind, name] of [
    ['file', 'declared-names'],
    ['type', 'DeclaredName'],
    ['function', 'wordsOfName'],
    ['field', 'kind'],
  ])
    t.ok(
      here.some((one) => one.kind === kind && one.name === name),
      `${kind} ${name}`,
    );
});
