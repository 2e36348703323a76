import { resolve } from 'node:path';
import { ConfigError, type Finding } from './config-error.ts';
import { type Inspection, inspectConfig } from './inspection.ts';
import type { KeyFinding } from './key-path.ts';
import { type Material, readMaterial } from './material.ts';
import { readBounded, unreadable } from './material-reader.ts';
import type { Config } from './schema.ts';
import { YamlSource } from './yaml-source.ts';

/** A configuration with the content of all files it names. */
export interface Loaded {
  /** Path of the configuration file. */
  path: string;
  config: Config;
  material: Material;
  /** Warnings about a valid configuration; each has a remedy. */
  warnings: Finding[];
}

const MAX_BYTES = 4_194_304;

/**
 * Loads a configuration and all files it names. No other function of this folder does I/O.
 * @throws ConfigError with file, line, key, what was found and what is expected, for all errors at once
 */
export async function loadConfig(path: string): Promise<Loaded> {
  const file = resolve(path);
  const { config, errors, warnings, locate } = await inspectFile(path);
  if (config === undefined) throw new ConfigError(errors.map(locate));
  const read = await readMaterial(config, file);
  const all = [...errors, ...read.errors];
  if (all.length > 0) throw new ConfigError(all.map(locate));
  return { path: file, config, material: read.material, warnings: [...warnings, ...read.warnings].map(locate) };
}

/**
 * Reads only the configuration file, as far as it can be used.
 * @throws ConfigError for a file that cannot be read or is no YAML
 */
export async function inspectFile(path: string): Promise<Inspection & { locate: (finding: KeyFinding) => Finding }> {
  const source = new YamlSource(await readText(path, resolve(path)), path);
  return { ...inspectConfig(source.value()), locate: source.locate.bind(source) };
}

async function readText(path: string, file: string): Promise<string> {
  const nowhere = { file: path, line: 0, column: 0, key: '' };
  let content: Buffer | undefined;
  try {
    content = await readBounded(file, MAX_BYTES);
  } catch (error) {
    throw new ConfigError([{ ...nowhere, message: `the configuration file ${unreadable(error)}` }]);
  }
  if (content === undefined) throw new ConfigError([{ ...nowhere, message: `is longer than ${MAX_BYTES} bytes` }]);
  return content.toString('utf8');
}
