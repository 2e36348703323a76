import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';

// What `npm run docs` writes.

/** The configuration as JSON Schema, for editors: what may be written, before defaults. */
export function jsonSchema(): SchemaNode {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
  return { title: 'Breakwater configuration', ...schema } as SchemaNode;
}

/** The part of a JSON Schema that is used here. */
export interface SchemaNode {
  type?: string;
  /** The kind of text: `duration`, `file name`. */
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, SchemaNode>;
  required?: string[];
  additionalProperties?: SchemaNode | boolean;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
}

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

The configuration is one YAML file. \`breakwater check --config FILE\` lists its errors, and \`config/breakwater.schema.json\` lets an
editor check it. An unknown key, a missing file or an ambiguous prefix stops the start. The message names the file, the line, the key
and what is expected. File names are relative to the configuration file. Times are written \`500ms\`, \`2s\`, \`1m\` or \`24h\`.

SIGHUP reloads the configuration. So does new content of any file that it names, such as a password or a certificate. No connection is dropped. A configuration with errors is
refused, and the old one stays in use. A change of a listen address, \`listen.proxyProtocol\`, \`listen.socketMode\`, \`ledger\`, \`manifests.memory\`,
\`manifests.keep\` or \`log.level\` needs a restart.

## Example

\`\`\`yaml
EXAMPLE\`\`\`

## Names, both ways

A route takes the repositories that begin with its \`prefix\`. The longest prefix wins. A pull entry with its own \`prefix\` replaces the
prefix of the route on that upstream. With the example:

| client | harbor | gcr |
|---|---|---|
| \`cr.example.io/library/app\` | \`library/app\` | \`example-project/app\` |
| \`cr.example.io/other/app\` | no route: 404 | |

Names in answers are translated back: catalogs, tag lists, \`Location\`, \`Link\` and challenges show the client's names. So no two client
names may mean the same repository of an upstream. These two routes are refused, because \`a/team/app\` and \`b/app\` would both be
\`project/team/app\`:

\`\`\`yaml
routes:
  - { prefix: a/, pull: [{ upstream: gcr, prefix: project/ }] }
  - { prefix: b/, pull: [{ upstream: gcr, prefix: project/team/ }] }
\`\`\`

They are accepted if a longer route, \`a/team/\`, takes the colliding names. Routes of different \`registry\` may share a prefix on an
upstream.

## Keys

| key | type | default | description |
|---|---|---|---|
`;

/** Renders docs/configuration.md. @param example the YAML at its beginning */
export function configurationMarkdown(schema: SchemaNode, example: string): string {
  const rows = documentedKeys(schema).map(
    ({ key, type, defaultValue, description }) => `| \`${key}\` | ${type} | ${defaultValue} | ${cell(description)} |`,
  );
  return `${INTRODUCTION.replace('EXAMPLE', () => example)}${rows.join('\n')}\n`;
}

export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
