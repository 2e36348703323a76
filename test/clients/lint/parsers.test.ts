import t from 'tap';
import { entryAt, type Located, mapAt, textAt, textsAt } from '../../../src/clients/lint/document.ts';
import { MAX_VALUES, ParseFailure } from '../../../src/clients/lint/parse-failure.ts';
import { parseJson } from '../../../src/clients/lint/parse-json.ts';
import { parseToml } from '../../../src/clients/lint/parse-toml.ts';
import { parseYaml } from '../../../src/clients/lint/parse-yaml.ts';

function failureOf(parse: () => unknown): ParseFailure {
  try {
    parse();
  } catch (error) {
    if (error instanceof ParseFailure) return error;
    throw error;
  }
  throw new Error('it was parsed');
}

function linesOf(node: Located | undefined, ...keys: string[]): (number | undefined)[] {
  const entry = entryAt(node, ...keys);
  return [entry?.line, entry?.value.line];
}

t.test('TOML: keys and values have their lines', async (t) => {
  const root = parseToml(
    [
      'a.b = 1 # dotted',
      'text = """',
      'two',
      'lines"""',
      '[[list]]',
      'x = 1',
      '[[list]]',
      'x = [',
      '  "one",',
      '  "two",',
      ']',
      '[list.below]',
      'y = { z = true }',
      '[a.c]',
      'when = 2026-11-30T00:00:00Z',
    ].join('\r\n'),
  );
  t.strictSame(linesOf(root, 'a', 'b'), [1, 1]);
  t.strictSame(linesOf(root, 'text'), [2, 2]);
  const list = entryAt(root, 'list')?.value;
  const [first, second] = list?.kind === 'list' ? list.items : [];
  t.strictSame([first?.line, second?.line], [5, 7]);
  t.strictSame(textsAt(second, 'x'), [
    { text: 'one', line: 9 },
    { text: 'two', line: 10 },
  ]);
  t.strictSame(linesOf(second, 'below', 'y', 'z'), [13, 13], 'a table below the last of a list');
  t.strictSame(linesOf(root, 'a', 'c', 'when'), [15, 15]);
  t.equal(mapAt(root, 'a', 'c')?.written, 'header');
  t.equal(mapAt(root, 'a')?.written, 'inline');
});

t.test('JSON and YAML: keys and values have their lines', async (t) => {
  const json = parseJson('{\n  "a": [\n    "x",\n    {"b": null}\n  ],\n\n  "c":\n    true\n}');
  t.strictSame(linesOf(json, 'a'), [2, 2]);
  t.strictSame(linesOf(json, 'c'), [7, 8]);
  t.strictSame(textsAt(json, 'a'), [{ text: 'x', line: 3 }]);
  t.strictSame(linesOf(parseJson('{"a":\n1}', 7), 'a'), [7, 7], 'JSON inside a line of another file');
  const [first, second] = parseYaml('a: &x\n  b: one\nc: *x\nd: !!binary aGk=\n---\n- 1\n-\n  e: |\n    text\n');
  t.strictSame(linesOf(first, 'a', 'b'), [2, 2]);
  t.equal(textAt(first, 'c', 'b'), 'one', 'an alias has its value');
  t.strictSame(linesOf(second?.kind === 'list' ? second.items[1] : undefined, 'e'), [8, 8]);
});

t.test('a file that is broken: the line, the reason, and nothing of what it says', async (t) => {
  for (const [parse, text, line, reason] of [
    [parseToml, 'a = 1\nb = "hunter2', 2, /unterminated/],
    [parseToml, 'a = 1\na = 2', 2, /multiple times/],
    [parseToml, `a = ${'['.repeat(20_000)}`, 1, /./],
    [parseToml, `a = ${'['.repeat(20_000)}${']'.repeat(20_000)}`, 1, /./],
    [parseJson, '{\n"a": hunter2}', 2, /unexpected character/],
    [parseJson, '{"a": 1', 1, /unexpected end/],
    [parseJson, '{"a": }', 1, /found$/],
    [parseJson, '['.repeat(100_000), 1, /nested too deeply/],
    [parseYaml, 'a: 1\nb: "hunter2', 2, /missing closing/],
    [parseYaml, 'a: 1\na: 2', 2, /twice/],
    [parseYaml, 'a: 1\nhunter2: *hunter2: b', 2, /./],
    [parseYaml, '['.repeat(20_000), 1, /./],
  ] as const) {
    const failure = failureOf(() => parse(text));
    t.equal(failure.line, line, text.slice(0, 30));
    t.match(failure.message, reason);
    t.notMatch(failure.message, /hunter2/);
    t.ok(failure.message.length < 130);
    t.notMatch(failure.message, /\.$/, 'a sentence goes on after it');
  }
});

t.test('aliases of YAML cannot grow without bound, nor go round in a circle', async (t) => {
  const levels = Array.from({ length: 30 }, (_, index) => `l${index + 1}: &l${index + 1} [*l${index}, *l${index}]`);
  const failure = failureOf(() => parseYaml(['l0: &l0 x', ...levels].join('\n')));
  t.match(failure.message, new RegExp(`more than ${MAX_VALUES} values`));
  t.equal(parseYaml('a: &a\n  b: *a\n').length, 1);
  t.equal(parseYaml('a: *nowhere\n').length, 1);
});
