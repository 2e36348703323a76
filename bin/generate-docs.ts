import { readFileSync, writeFileSync } from 'node:fs';
import { alertMarkdown } from './alert-docs.ts';
import { valuesMarkdown, valuesSchema } from './chart-schema.ts';
import { configurationMarkdown, jsonSchema } from './configuration-docs.ts';
import { lintMarkdown } from './lint-docs.ts';

// Writes what is generated from the schema, the values of the chart, the rules of the linter and the rules of the alerts; with --check only
// says whether it is up to date (exit status 1 if not).
const root = new URL('../', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, root), 'utf8');
const example = read('config/breakwater.yaml');
const generated = {
  'docs/configuration.md': configurationMarkdown(jsonSchema(), example),
  'config/breakwater.schema.json': `${JSON.stringify(jsonSchema(), null, 2)}\n`,
  'docs/monitoring.md': alertMarkdown(read('docs/monitoring.md'), read('deploy/prometheus/breakwater.rules.yml')),
  'deploy/kubernetes/breakwater/values.schema.json': `${JSON.stringify(valuesSchema(), null, 2)}\n`,
  'docs/deploy-kubernetes.md': valuesMarkdown(
    read('docs/deploy-kubernetes.md'),
    read('deploy/kubernetes/breakwater/values.yaml'),
  ),
  'docs/client-lint.md': lintMarkdown(read('docs/client-lint.md')),
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
