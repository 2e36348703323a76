import t from 'tap';
import { KINDS } from '../../src/clients/kinds.ts';
import { page } from './page.ts';
import { PROGRAMS } from './pullers.ts';

t.test('docs/clients.md has every kind, and every program that pulls with it', async (t) => {
  const lines = page
    .read()
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);
  for (const [kind] of Object.entries(KINDS)) {
    const programs = Object.values(PROGRAMS).filter((program) => program.kind === kind);
    t.equal(lines.filter((line) => line.startsWith(`| ${kind} |`)).length, Math.max(1, programs.length), kind);
  }
  t.notMatch(page.read(), '**failed**');
});

t.test('what was not run is told', async (t) => {
  const table = page.of([], {});
  t.match(table, '| docker | not run | dockerd | not run | not run | not run |');
  const pulled = { healthy: true, frozen: false, dead: undefined };
  const row = { program: 'docker', version: '29.1', pulled, said: [] };
  t.match(
    page.of([row], { docker: ['a-rule'] }),
    '| docker | `a-rule` | dockerd (29.1) | pulled | **failed** | cannot |',
  );
});
