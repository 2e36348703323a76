import { readFileSync } from 'node:fs';
import t from 'tap';
import { lintMarkdown } from '../../../bin/lint-docs.ts';
import { LINT_RULES } from '../../../src/clients/lint/rule-list.ts';

t.test('the table of rules is what the rules say (else: npm run docs)', async (t) => {
  const page = readFileSync(new URL('../../../docs/client-lint.md', import.meta.url), 'utf8');
  t.equal(page, lintMarkdown(page));
  for (const { name } of LINT_RULES) t.match(page, `| \`${name}\` |`);
});
