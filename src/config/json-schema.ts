import { z } from 'zod';
import type { SchemaNode } from './known-keys.ts';
import { configSchema } from './schema.ts';

/** The configuration as JSON Schema, for editors: what may be written, before defaults. */
export function jsonSchema(): SchemaNode {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
  return { title: 'Breakwater configuration', ...schema } as SchemaNode;
}
