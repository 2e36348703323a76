import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigError, type Finding } from './config-error.ts';
import { type Material, readMaterial } from './material.ts';
import { parseConfig } from './parse-config.ts';
import type { Config } from './schema.ts';
import { YamlSource } from './yaml-source.ts';

/** A configuration with everything that it names. */
export interface Loaded {
  /** Its file. */
  path: string;
  config: Config;
  material: Material;
  /** What works, but should be known. */
  warnings: Finding[];
}

/**
 * Reads a configuration and all files that it names; the only I/O of this folder.
 * @throws ConfigError with file, line, key, what was found and what was expected, for all findings at once
 */
export async function loadConfig(path: string): Promise<Loaded> {
  const file = resolve(path);
  const source = new YamlSource(await readText(path, file), path);
  const locate = source.locate.bind(source);
  const { config, warnings } = parseConfig(source.value(), locate);
  const { material, errors } = await readMaterial(config, file);
  if (errors.length > 0) throw new ConfigError(errors.map(locate));
  return { path: file, config, material, warnings };
}

async function readText(path: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ file: path, line: 0, column: 0, key: '', message: `cannot be read: ${reason}` }]);
  }
}
