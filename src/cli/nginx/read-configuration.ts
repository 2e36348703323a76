import { glob, realpath } from 'node:fs/promises';
import { dirname, matchesGlob, resolve } from 'node:path';
import { readBounded, unreadable } from '../../config/material-reader.ts';
import { type Directive, everyDirective } from '../../nginx/syntax/directive.ts';
import { splitDump } from '../../nginx/syntax/dump.ts';
import { parseNginx } from '../../nginx/syntax/parse.ts';
import { NginxSyntaxError } from '../../nginx/syntax/syntax-error.ts';
import { UsageError } from '../config-path.ts';

const MAX_FILE_BYTES = 4_194_304;
const MAX_BYTES = 33_554_432;
const MAX_FILES = 2000;
const MAX_DIRECTIVES = 200_000;

/** Where the texts of configurations come from. */
interface Source {
  /** Undefined if there is no such file. */
  read(path: string): Promise<string | undefined>;
  /** The files that a pattern of an `include` names, in the order of their names. */
  list(pattern: string): Promise<string[]>;
}

export interface ReadConfiguration {
  directives: Directive[];
  /** Folder that relative names belong to. */
  prefix: string;
  files: number;
}

/**
 * Reads configurations of nginx with everything that they include.
 * @param paths files, the main one first; `-` is standard input, which may be what `nginx -T` printed, as may be a file
 * @throws UsageError with file, line, what was expected, and what to do
 */
export async function readConfiguration(paths: readonly string[], prefix?: string): Promise<ReadConfiguration> {
  const reader = new Reader();
  const directives: Directive[] = [];
  let folder = prefix === undefined ? undefined : resolve(prefix);
  for (const path of paths) {
    const text = path === '-' ? await standardInput() : await DISK.read(path);
    if (text === undefined)
      throw new UsageError(
        `${path} cannot be read: there is no such file. Name an nginx configuration, or - for standard input.`,
      );
    const dump = splitDump(text);
    const main = dump?.[0]?.path ?? (path === '-' ? 'standard input' : path);
    const base = prefix ?? (dump ? dirname(main) : path === '-' ? '.' : dirname(resolve(path)));
    folder ??= resolve(base);
    const source = dump ? dumped(new Map(dump.map((one) => [one.path, one.text]))) : DISK;
    directives.push(...(await reader.file(main, dump?.[0]?.text ?? text, { source, prefix: resolve(base), open: [] })));
  }
  return { directives, prefix: folder ?? resolve('.'), files: reader.files };
}

interface Place {
  source: Source;
  prefix: string;
  /** Files that are being read, the outermost first. */
  open: string[];
}

class Reader {
  files = 0;
  #bytes = 0;
  #directives = 0;

  async file(path: string, text: string, { source, prefix, open }: Place): Promise<Directive[]> {
    this.files++;
    this.#bytes += text.length;
    if (this.files > MAX_FILES || this.#bytes > MAX_BYTES)
      throw new UsageError(
        `${path}: this configuration has more than ${MAX_FILES} files or ${MAX_BYTES / 1_048_576} MiB. Import the file of the registry's server alone.`,
      );
    const directives = parsed(path, text);
    const every = everyDirective(directives);
    this.#directives += every.length;
    if (this.#directives > MAX_DIRECTIVES)
      throw new UsageError(
        `${path}: this configuration has more than ${MAX_DIRECTIVES} directives. Import the file of the registry's server alone.`,
      );
    const real = await realName(path);
    for (const include of every.filter(({ name }) => name === 'include'))
      await this.#include(include, { source, prefix, open: [...open, real] });
    return directives;
  }

  async #include(include: Directive, place: Place): Promise<void> {
    const [pattern] = include.args;
    if (pattern === undefined || include.block !== undefined)
      throw new UsageError(
        `${include.file}:${include.line}: expected the name of a file after include. Write include FILE;`,
      );
    const whole = resolve(place.prefix, pattern);
    const isGlob = /[*?[]/.test(pattern);
    const paths = isGlob ? await place.source.list(whole) : [whole];
    const found: Directive[] = [];
    let isThere = isGlob;
    for (const path of paths) {
      if (place.open.includes(await realName(path)))
        throw new UsageError(
          `${include.file}:${include.line}: ${path} includes itself, by way of ${place.open.join(', ')}. Expected files that do not include each other in a circle; remove this include.`,
        );
      const text = await place.source.read(path);
      if (text === undefined) continue;
      isThere = true;
      found.push(...(await this.file(path, text, place)));
    }
    if (isThere) include.included = found;
  }
}

/** A file under its only name. A link may lead back to a file that includes it. */
async function realName(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}

function parsed(path: string, text: string): Directive[] {
  try {
    return parseNginx(path, text);
  } catch (error) {
    if (error instanceof NginxSyntaxError) throw new UsageError(error.message);
    throw error;
  }
}

const DISK: Source = {
  async read(path) {
    try {
      const bytes = await readBounded(path, MAX_FILE_BYTES);
      if (bytes === undefined) throw tooLarge(path);
      return checkedText(path, bytes);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      if (error instanceof UsageError) throw error;
      throw new UsageError(`${path} ${unreadable(error)}. Name a file, such as /etc/nginx/nginx.conf.`);
    }
  },
  async list(pattern) {
    const paths: string[] = [];
    for await (const path of glob(pattern)) {
      paths.push(resolve(path));
      if (paths.length > MAX_FILES) break;
    }
    return paths.sort();
  },
};

function dumped(files: ReadonlyMap<string, string>): Source {
  return {
    read: async (path) => files.get(path),
    list: async (pattern) => [...files.keys()].filter((path) => matchesGlob(path, pattern)).sort(),
  };
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_BYTES) throw tooLarge('standard input');
  }
  return checkedText('standard input', Buffer.concat(chunks));
}

function checkedText(path: string, bytes: Buffer): string {
  if (bytes.includes(0)) throw new UsageError(`${path} is no text. Name an nginx configuration.`);
  return bytes.toString('utf8');
}

function tooLarge(path: string): UsageError {
  return new UsageError(
    `${path} is longer than ${MAX_FILE_BYTES / 1_048_576} MiB. Import the file of the registry's server alone.`,
  );
}
