import type { SchemaNode } from './json-schema.ts';

/** One key in the reference documentation. */
export interface DocumentedKey {
  key: string;
  type: string;
  defaultValue: string;
  description: string;
}

/** All keys of the schema, in its order. */
export function documentedKeys(schema: SchemaNode, prefix = ''): DocumentedKey[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, node]) => {
    const key = `${prefix}${name}`;
    const own = {
      key,
      type: typeOf(node),
      defaultValue: defaultOf(node, schema.required?.includes(name) === true),
      description: node.description ?? '',
    };
    return [own, ...innerKeys(node, key)];
  });
}

/** Keys inside of maps, lists, maps by name, and alternatives. */
function innerKeys(node: SchemaNode, key: string): DocumentedKey[] {
  if (node.anyOf) {
    const seen = new Set<string>();
    return node.anyOf
      .flatMap((branch) => innerKeys(branch, key))
      .filter((entry) => !seen.has(entry.key.replace('[]', '')) && seen.add(entry.key.replace('[]', '')));
  }
  if (node.items) return innerKeys(node.items, `${key}[]`);
  if (typeof node.additionalProperties === 'object') return documentedKeys(node.additionalProperties, `${key}.NAME.`);
  return documentedKeys(node, `${key}.`);
}

function typeOf(node: SchemaNode): string {
  if (node.anyOf) return [...new Set(node.anyOf.map(typeOf))].join(', or ');
  if (node.enum) return node.enum.map((value) => `\`${value}\``).join(', ');
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.type === 'array') return `list of ${plural(typeOf(node.items ?? {}))}`;
  if (node.title) return node.title;
  if (node.type === 'object') return typeof node.additionalProperties === 'object' ? 'map by name' : 'map';
  return (
    { string: 'text', integer: 'whole number', boolean: 'true or false', number: 'number' }[node.type ?? ''] ?? 'any'
  );
}

function plural(type: string): string {
  return type === 'text' ? type : `${type}s`;
}

function defaultOf(node: SchemaNode, required: boolean): string {
  if (node.default !== undefined && typeof node.default !== 'object')
    return `\`${JSON.stringify(node.default).replace(/^"(.+)"$/, '$1')}\``;
  if (Array.isArray(node.default) && node.default.length === 0) return 'none';
  return required ? '**required**' : '';
}

const INTRODUCTION = `# Configuration

<!-- Generated from src/config/schema.ts by \`npm run docs\`. Do not edit. -->

One YAML file. \`breakwater check --config FILE\` says what is wrong with it, and \`config/breakwater.schema.json\` lets an editor do so.
An unknown key, a missing file or a prefix that cannot be inverted stops the start, with file, line, key and what was expected. File
names are relative to the configuration file. Times are written \`500ms\`, \`2s\`, \`1m\`, \`24h\`.

SIGHUP, or a changed certificate file, reloads the whole of it without dropping a connection; a bad new one is refused and the old one
goes on. Only \`listen\` needs a restart.

## Example

\`\`\`yaml
EXAMPLE\`\`\`

## Names, both ways

A route takes the repositories that begin with its \`prefix\`; the longest wins. On an upstream the prefix of the pull entry stands in
its place; without one it is the same there. With the example:

| client | harbor | gcr |
|---|---|---|
| \`cr.example.io/library/app\` | \`library/app\` | \`example-project/app\` |
| \`cr.example.io/other/app\` | no route: 404 | |

What comes back goes the other way: names in catalogs, tag lists, \`Location\`, \`Link\` and challenges are the client's. So no two client
names may become one on an upstream. These two routes are refused, since \`a/team/app\` and \`b/app\` would both be \`project/team/app\`:

\`\`\`yaml
routes:
  - { prefix: a/, pull: [{ upstream: gcr, prefix: project/ }] }
  - { prefix: b/, pull: [{ upstream: gcr, prefix: project/team/ }] }
\`\`\`

They are accepted when a longer route, \`a/team/\`, takes the names that would meet. Routes of different \`registry\` may share a place.

## Keys

| key | what it is | default | |
|---|---|---|---|
`;

/** Renders docs/configuration.md. @param example the YAML at its beginning */
export function configurationMarkdown(schema: SchemaNode, example: string): string {
  const rows = documentedKeys(schema).map(
    ({ key, type, defaultValue, description }) => `| \`${key}\` | ${type} | ${defaultValue} | ${cell(description)} |`,
  );
  return `${INTRODUCTION.replace('EXAMPLE', () => example)}${rows.join('\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
