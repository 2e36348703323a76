import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { alertMarkdown, alertRules } from '../../../bin/alert-docs.ts';
import { readPage, targetOf } from '../../helpers/markdown.ts';

const root = join(import.meta.dirname, '../../..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const file = read('deploy/prometheus/breakwater.rules.yml');
const rules = alertRules(file);
const documented = new Map(
  [...read('docs/operations.md').matchAll(/^\| ((?:`breakwater_\w+`(?:, )?)+) \| ([^|]*)\|/gm)].flatMap(
    ([, names = '', labels = '']) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => [name, labels.trim().split(', ')] as const),
  ),
);

t.test('the table of docs/monitoring.md is what the rules say (else: npm run docs)', async (t) => {
  const page = read('docs/monitoring.md');
  t.equal(page, alertMarkdown(page, file));
  const rows = [...page.matchAll(/^\| `(Breakwater\w+)` \|/gm)].map(([, name]) => name);
  t.same(
    rows,
    rules.map(({ alert }) => alert),
  );
  t.equal(new Set(rows).size, rows.length, 'each name once');
});

t.test('a page without the marks of the table is refused', async (t) => {
  t.throws(() => alertMarkdown('# A page', file), /needs the lines/);
});

t.test('every rule asks for metrics and labels that docs/operations.md has', async (t) => {
  t.ok(documented.size > 50);
  for (const { alert, expr } of rules) {
    const names = [...expr.matchAll(/breakwater_\w+/g)].map(([name]) => name);
    t.ok(names.length > 0 || alert === 'BreakwaterEdgeGone', alert);
    const labels = names.flatMap((name) => {
      const found = documented.get(name);
      t.ok(found, `${alert}: ${name}`);
      return found ?? [];
    });
    for (const [, selector = ''] of expr.matchAll(/breakwater_\w+\{([^}]*)\}/g))
      for (const [, label = ''] of selector.matchAll(/(\w+)=~?"/g)) t.ok(labels.includes(label), `${alert}: ${label}`);
  }
});

t.test('every rule tells what to do next, in a heading that exists', async (t) => {
  for (const { alert, annotations } of rules) {
    const { path, anchor = '' } = targetOf('README.md', annotations.runbook);
    t.ok(existsSync(join(root, path)), `${alert}: ${path}`);
    t.ok(readPage(path).anchors.has(anchor), `${alert}: ${annotations.runbook}`);
    t.ok(annotations.description.split('. ').length > 1, `${alert} says what it means, and what to do`);
    t.notMatch(annotations.description, /\{\{/, `${alert}: the page shows the description as it stands`);
  }
});

t.test('promtool tests every rule: that it fires, and that it does not', async (t) => {
  const { tests } = parse(read('deploy/prometheus/breakwater.rules.test.yml')) as {
    tests: { promql_expr_test: { expr: string; exp_samples: unknown[] }[] }[];
  };
  const looks = Map.groupBy(
    tests.flatMap((one) => one.promql_expr_test),
    ({ expr }) => /^ALERTS\{alertname="(\w+)",alertstate="firing"/.exec(expr)?.[1],
  );
  t.same(
    [...looks.keys()],
    rules.map(({ alert }) => alert),
  );
  for (const { alert, for: time } of rules)
    t.same(
      looks.get(alert)?.map(({ exp_samples }) => exp_samples.length > 0),
      time === undefined ? [false, true, false] : [false, false, true, false],
      alert,
    );
});
