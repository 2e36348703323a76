import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walkTree } from '../../../src/cli/client/lint-walk.ts';
import type { Finding } from '../../../src/clients/lint/finding.ts';
import { lintFiles } from '../../../src/clients/lint/lint.ts';
import { LINT_RULES } from '../../../src/clients/lint/rule-list.ts';

const FIXTURES = new URL('../../fixtures/lint/', import.meta.url).pathname;

/** Findings in the tree of a rule, as a node has it. */
async function findingsOf(rule: string, side: 'bad' | 'good'): Promise<Finding[]> {
  const options = join(FIXTURES, rule, 'options.json');
  const { versions = {} } = existsSync(options) ? JSON.parse(readFileSync(options, 'utf8')) : {};
  const { sources, findings, exists } = await walkTree(join(FIXTURES, rule, side));
  const site = {
    edges: ['cr.example.io'],
    upstreamHosts: ['harbor.lan'],
    versions,
    exists,
    now: Date.parse('2026-11-30'),
  };
  return [...findings, ...lintFiles(sources, site)];
}

t.test('there are at least 40 rules, each with a name of its own', async (t) => {
  t.ok(LINT_RULES.length >= 40, `${LINT_RULES.length} rules`);
  t.equal(new Set(LINT_RULES.map(({ name }) => name)).size, LINT_RULES.length);
});

t.test('each rule has files that trigger it alone, and files that trigger nothing', async (t) => {
  for (const { name } of LINT_RULES) {
    if (!existsSync(join(FIXTURES, name, 'bad')) || !existsSync(join(FIXTURES, name, 'good'))) {
      t.fail(`test/fixtures/lint/${name} needs bad/ and good/`);
      continue;
    }
    const bad = await findingsOf(name, 'bad');
    t.strictSame([...new Set(bad.map(({ rule }) => rule))], [name], `${name}: its bad file triggers it alone`);
    const good = await findingsOf(name, 'good');
    t.strictSame(
      good.map(({ rule, file, line }) => `${rule} ${file}:${line}`),
      [],
      `${name}: its good file triggers nothing`,
    );
  }
});

t.test('no files are there for a rule that is not', async (t) => {
  const names = new Set(LINT_RULES.map(({ name }) => name));
  t.strictSame(
    readdirSync(FIXTURES).filter((name) => !names.has(name)),
    [],
  );
});

t.test('no finding shows a credential', async (t) => {
  for (const { name } of LINT_RULES)
    t.notMatch(JSON.stringify(await findingsOf(name, 'bad')), /hunter2|Ym9iOmh1bnRlcjI/, name);
});

t.test('every rule tells its source with a date, and speaks in whole sentences', async (t) => {
  for (const { name, happens, remedy, source, key } of LINT_RULES) {
    t.match(source.url, /^https:\/\/(github|gitlab)\.com\//, `${name}: its source`);
    t.match(source.date, /^20\d\d-\d\d-\d\d$/, `${name}: the date of its source`);
    t.match(happens, /^[A-Z.a-z].*\.$/, `${name}: what happens`);
    t.match(remedy, /^[A-Z].*\.$/, `${name}: its remedy`);
    t.not(key, '');
  }
});
