import { ConfigError, type Finding } from './config-error.ts';
import { crossCheck } from './cross-check.ts';
import { findingsOf } from './issue.ts';
import { jsonSchema } from './json-schema.ts';
import { type KeyFinding, keyText } from './key-path.ts';
import { knownKeys, type SchemaNode } from './known-keys.ts';
import { type Config, configSchema } from './schema.ts';

let keys: SchemaNode | undefined;

/**
 * Plain values as a configuration, or all that is wrong with them. No I/O: the files that it names are not looked at.
 * @param locate gives a finding its place; by default it has none
 * @throws ConfigError
 */
export function parseConfig(
  input: unknown,
  locate: (finding: KeyFinding) => Finding = placeless,
): { config: Config; warnings: Finding[] } {
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) {
    keys ??= jsonSchema();
    const schema = keys;
    const findings = parsed.error.issues.flatMap((issue) =>
      findingsOf(issue, input, (path) => knownKeys(schema, path)),
    );
    throw new ConfigError(findings.map(locate));
  }
  const { errors, warnings } = crossCheck(parsed.data);
  if (errors.length > 0) throw new ConfigError(errors.map(locate));
  return { config: parsed.data, warnings: warnings.map(locate) };
}

function placeless({ path, message, remedy }: KeyFinding): Finding {
  return { file: '', line: 0, column: 0, key: keyText(path), message, ...(remedy === undefined ? {} : { remedy }) };
}
