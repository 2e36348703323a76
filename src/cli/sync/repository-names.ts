import { readBounded, unreadable } from '../../config/material-reader.ts';
import { UsageError } from '../config-path.ts';

const MAX_BYTES = 67_108_864;

/**
 * The names given, and those in the file: one a line, without empty lines and lines that begin with #. Undefined if neither is given.
 * @throws UsageError
 */
export async function repositoryNames(
  given: readonly string[] | undefined,
  file: string | undefined,
): Promise<string[] | undefined> {
  if (given === undefined && file === undefined) return undefined;
  return [...new Set([...(given ?? []), ...(file === undefined ? [] : await linesOf(file))])];
}

async function linesOf(file: string): Promise<string[]> {
  let content: Buffer | undefined;
  try {
    content = await readBounded(file, MAX_BYTES);
  } catch (error) {
    throw new UsageError(`--repository-file: ${file} ${unreadable(error)}`);
  }
  if (!content) throw new UsageError(`--repository-file: ${file} is longer than ${MAX_BYTES} bytes`);
  const names = content
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (names.length === 0) throw new UsageError(`--repository-file: ${file} has no repository name`);
  return names;
}
