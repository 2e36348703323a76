import { z } from 'zod';
import type { KeyPath } from './key-path.ts';
import { configSchema } from './schema.ts';

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

/** Keys that a map at `path` may have, over all branches of unions. */
export function knownKeys(schema: SchemaNode, path: KeyPath): string[] {
  let nodes = [schema];
  for (const part of path) nodes = nodes.flatMap((node) => childrenOf(node, part));
  return [
    ...new Set(nodes.flatMap((node) => branches(node).flatMap((branch) => Object.keys(branch.properties ?? {})))),
  ];
}

function childrenOf(node: SchemaNode, part: string | number): SchemaNode[] {
  return branches(node).flatMap((branch) => {
    if (typeof part === 'number') return branch.items ?? [];
    if (branch.properties && Object.hasOwn(branch.properties, part)) return branch.properties[part] ?? [];
    return typeof branch.additionalProperties === 'object' ? branch.additionalProperties : [];
  });
}

function branches(node: SchemaNode): SchemaNode[] {
  return node.anyOf ? node.anyOf.flatMap(branches) : [node];
}
