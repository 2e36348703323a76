import { ConfigError, type Finding } from './config-error.ts';
import { inspectConfig } from './inspection.ts';
import { type KeyFinding, keyText } from './key-path.ts';
import type { Config } from './schema.ts';

/**
 * Plain values as a configuration, or all that is wrong with them. No I/O: the files that it names are not looked at.
 * @throws ConfigError whose findings have no place
 */
export function parseConfig(input: unknown): { config: Config; warnings: Finding[] } {
  const { config, errors, warnings } = inspectConfig(input);
  if (config === undefined || errors.length > 0) throw new ConfigError(errors.map(placeless));
  return { config, warnings: warnings.map(placeless) };
}

function placeless({ path, message, remedy }: KeyFinding): Finding {
  return { file: '', line: 0, column: 0, key: keyText(path), message, ...(remedy === undefined ? {} : { remedy }) };
}
