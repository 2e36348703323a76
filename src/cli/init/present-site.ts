import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspectFile } from '../../config/load.ts';
import { readBounded, unreadable } from '../../config/material-reader.ts';
import { UsageError } from '../config-path.ts';
import { shellWord } from './quoted-name.ts';
import { FILES } from './site-plan.ts';

const MAX_BYTES = 1_048_576;

/** Contents of files of an earlier run that `--force` keeps, because clients and other edges have their counterparts. */
export interface KeptFiles {
  /** Byte for byte, because a key may be binary. */
  key?: Buffer | undefined;
  /** Without a key: the operator keeps it elsewhere. */
  ca?: { cert: string; key: string | undefined } | undefined;
  users?: Buffer | undefined;
  adminToken?: Buffer | undefined;
}

/** Files of a site that a directory has, by name. */
export function presentFiles(directory: string): string[] {
  return Object.values(FILES).filter((name) => existsSync(join(directory, name)));
}

/** What is in a directory that has a site already, and what can be done about it. */
export async function presentText(directory: string, names: readonly string[]): Promise<string> {
  const config = join(directory, FILES.config);
  const lines = [
    `${directory} has files of a site already, and nothing was changed:`,
    ...(names.includes(FILES.config) ? await configLines(config) : []),
    `  ${names.join(', ')}`,
    `To look whether it works: breakwater check -c ${shellWord(config)}`,
    'To make it anew: repeat this with --force. It keeps edge.key, the CA, the users and the token.',
  ];
  return lines.join('\n');
}

async function configLines(file: string): Promise<string[]> {
  const { config } = await inspectFile(file).catch(() => ({ config: undefined }));
  if (!config) return [`  a configuration with errors`];
  const upstreams = Object.entries(config.upstreams).map(([name, { urls }]) => `${name} (${urls.join(', ')})`);
  return [`  an edge for ${config.hostname}, auth.mode ${config.auth.mode}`, `  upstreams: ${upstreams.join(', ')}`];
}

export async function keptFiles(directory: string): Promise<KeptFiles> {
  const [cert, key] = [await contentOf(directory, FILES.ca), await contentOf(directory, FILES.caKey)];
  return {
    key: await contentOf(directory, FILES.key),
    ca: cert === undefined ? undefined : { cert: cert.toString('utf8'), key: key?.toString('utf8') },
    users: await contentOf(directory, FILES.users),
    adminToken: await contentOf(directory, FILES.adminToken),
  };
}

/** Undefined: there is no such file. @throws UsageError */
async function contentOf(directory: string, name: string): Promise<Buffer | undefined> {
  const file = join(directory, name);
  if (!existsSync(file)) return undefined;
  const content = await readBounded(file, MAX_BYTES).catch((error: unknown) => {
    throw new UsageError(`${file} ${unreadable(error)}; --force keeps what is in it`);
  });
  if (content === undefined) throw new UsageError(`${file} is longer than ${MAX_BYTES} bytes`);
  return content;
}
