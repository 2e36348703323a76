import { readFileSync, writeFileSync } from 'node:fs';
import { alertMarkdown } from './alert-docs.ts';
import { configurationMarkdown, jsonSchema } from './configuration-docs.ts';
import { lintMarkdown } from './lint-docs.ts';

// Writes what is generated from the schema, the rules of the linter and the rules of the alerts; with --check only says whether it is up to date (exit status 1 if not).
const root = new URL('../', import.meta.url);
const example = readFileSync(new URL('config/breakwater.yaml', root), 'utf8');
const generated = {
  'docs/configuration.md': configurationMarkdown(jsonSchema(), example),
  'config/breakwater.schema.json': `${JSON.stringify(jsonSchema(), null, 2)}\n`,
  'docs/monitoring.md': alertMarkdown(
    readFileSync(new URL('docs/monitoring.md', root), 'utf8'),
    readFileSync(new URL('deploy/prometheus/breakwater.rules.yml', root), 'utf8'),
  ),
  'docs/client-lint.md': lintMarkdown(readFileSync(new URL('docs/client-lint.md', root), 'utf8')),
};
const check = process.argv.includes('--check');
for (const [file, content] of Object.entries(generated)) {
  const url = new URL(file, root);
  if (!check) writeFileSync(url, content);
  else if (readFileSync(url, 'utf8') !== content) {
    console.error(`${file} is not what the code says; run npm run docs`);
    process.exitCode = 1;
  }
}
