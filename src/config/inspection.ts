import { ConfigError, type Finding } from './config-error.ts';
import { crossCheck, unknownUpstreams } from './cross-check.ts';
import { findingsOf } from './issue.ts';
import { jsonSchema, knownKeys, type SchemaNode } from './json-schema.ts';
import { type KeyFinding, keyText } from './key-path.ts';
import { type Config, configSchema } from './schema.ts';

/** All that can be said of a configuration without looking at the files that it names. */
export interface Inspection {
  /** There too where the errors leave enough of it to go on and find more. */
  config: Config | undefined;
  errors: KeyFinding[];
  warnings: KeyFinding[];
}

let keys: SchemaNode | undefined;

/** Holds plain values against the schema, and then against each other. */
export function inspectConfig(input: unknown): Inspection {
  const parsed = configSchema.safeParse(input);
  if (parsed.success) return { config: parsed.data, ...crossCheck(parsed.data) };
  keys ??= jsonSchema();
  const schema = keys;
  const errors = parsed.error.issues.flatMap((issue) => findingsOf(issue, input, (path) => knownKeys(schema, path)));
  const config = withoutFaultyKeys(input, errors);
  // What was meant by the faulty keys is not known, so only what they cannot change is looked at.
  return { config, errors: config ? [...errors, ...unknownUpstreams(config)] : errors, warnings: [] };
}

/** The configuration without its faulty keys, if it can do without them. */
function withoutFaultyKeys(input: unknown, errors: readonly KeyFinding[]): Config | undefined {
  const copy = structuredClone(input);
  for (const { path, atKey } of errors) {
    // Routes name upstreams: without a faulty one, its name would be told to be unknown.
    if (path.length === 2 && path[0] === 'upstreams' && atKey !== true) return undefined;
    const key = path.at(-1);
    let map = copy;
    for (const part of path.slice(0, -1))
      map = typeof map === 'object' && map !== null ? Reflect.get(map, part) : undefined;
    if (typeof key === 'string' && typeof map === 'object' && map !== null) Reflect.deleteProperty(map, key);
  }
  return configSchema.safeParse(copy).data;
}

/**
 * Plain values as a configuration, or all that is wrong with them. No I/O: the files that it names are not looked at.
 * @throws ConfigError whose findings have no place
 */
export function parseConfig(input: unknown): { config: Config; warnings: Finding[] } {
  const { config, errors, warnings } = inspectConfig(input);
  if (config === undefined || errors.length > 0) throw new ConfigError(errors.map(withoutPosition));
  return { config, warnings: warnings.map(withoutPosition) };
}

function withoutPosition({ path, message, remedy }: KeyFinding): Finding {
  return { file: '', line: 0, column: 0, key: keyText(path), message, ...(remedy === undefined ? {} : { remedy }) };
}
