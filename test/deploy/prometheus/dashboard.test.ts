import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readDashboard } from './dashboard.ts';

const operations = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
const { all, panels, templating } = readDashboard();

t.test('panels have ids of their own, lie beside each other, and each is below the title of its row', async (t) => {
  t.ok(panels.length > 40);
  t.equal(new Set(all.map(({ id }) => id)).size, all.length);
  t.equal(all[0]?.type, 'row');
  for (const [index, { title, gridPos: one }] of all.entries()) {
    t.ok(one.x + one.w <= 24, title);
    for (const { title: next, gridPos: other } of all.slice(index + 1)) {
      const beside = one.x + one.w <= other.x || other.x + other.w <= one.x;
      t.ok(beside || one.y + one.h <= other.y || other.y + other.h <= one.y, `${title} is not over ${next}`);
    }
  }
});

t.test('every expression is of the chosen site and edge, and of metrics that exist', async (t) => {
  t.same(
    templating.list.map(({ name }) => name),
    ['datasource', 'job', 'instance'],
  );
  for (const { title, targets } of panels) {
    t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    for (const { expr } of targets) {
      const names = [...expr.matchAll(/\b(breakwater|process|nodejs)_\w+/g)].map(([name]) => name);
      t.ok(names.length > 0 || expr.includes('ALERTS{'), `${title}: ${expr}`);
      for (const name of names.filter((one) => one.startsWith('breakwater_')))
        t.ok(operations.includes(`\`${name.replace(/_bucket$/, '')}\``), `${title}: ${name}`);
      const chosen = expr.split('job=~"$job",instance=~"$instance"').length - 1;
      t.equal(chosen, names.length, `${title}: ${expr}`);
    }
  }
});

t.test('a legend names labels that its expression keeps', async (t) => {
  for (const { title, targets } of panels)
    for (const { expr, legendFormat } of targets) {
      const kept = / by \(([^)]*)\)/.exec(expr)?.[1]?.split(', ');
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        if (kept) t.ok(kept.includes(label), `${title}: ${label}`);
    }
});
