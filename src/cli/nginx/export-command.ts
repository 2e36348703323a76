import { dirname, resolve } from 'node:path';
import { inspectFile } from '../../config/load.ts';
import { readBounded, unreadable } from '../../config/material-reader.ts';
import type { Config } from '../../config/schema.ts';
import { gapsOf } from '../../nginx/export/gap-list.ts';
import { nginxText } from '../../nginx/export/nginx-text.ts';
import { UnwritableError } from '../../nginx/export/nginx-word.ts';
import type { ExportOptions } from '../../nginx/export/upstream-text.ts';
import { configPath, UsageError } from '../config-path.ts';
import { type NewFile, writeNewFiles } from '../new-file.ts';

export interface ExportFlags {
  config?: string;
  output?: string;
  withCredentials?: boolean;
  openFallback?: boolean;
  force?: boolean;
  json?: boolean;
}

const MAX_PASSWORD_BYTES = 65_536;

/** `breakwater nginx export`. @throws UsageError */
export async function exportNginx(flags: ExportFlags): Promise<void> {
  if (flags.withCredentials && flags.output === undefined)
    throw new UsageError('--with-credentials needs --output, the folder for the files with passwords');
  const path = configPath(flags.config);
  const { config } = await inspectFile(path);
  if (!config) throw new UsageError(`${path} has errors, so it cannot be exported: run breakwater check -c ${path}`);
  const folder = resolve(flags.output ?? '.');
  const options: ExportOptions = {
    fileOf: (name) => resolve(dirname(resolve(path)), name),
    withCredentials: flags.withCredentials === true,
    openFallback: flags.openFallback === true,
    credentialsFile: (upstream) => resolve(folder, `${upstream}.authorization.conf`),
  };
  const text = textOf(config, path, options);
  const gaps = gapsOf(config, options);
  if (flags.output === undefined) {
    process.stdout.write(flags.json ? `${JSON.stringify({ configuration: text, gaps }, null, 2)}\n` : text);
    return;
  }
  const files: NewFile[] = [{ path: resolve(folder, 'nginx.conf'), content: text, mode: 0o644 }];
  if (options.withCredentials) files.push(...(await credentialFiles(config, options)));
  await writeNewFiles(files, { force: flags.force === true });
  const paths = files.map((file) => file.path);
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ files: paths, gaps }, null, 2)}\n`
      : `${paths.map((one) => `${one} was written\n`).join('')}nginx cannot do all of it: see the ${gaps.length} gaps at the top of nginx.conf\n`,
  );
}

function textOf(config: Config, path: string, options: ExportOptions): string {
  try {
    return nginxText(config, path, options);
  } catch (error) {
    if (error instanceof UnwritableError) throw new UsageError(`${path} cannot be exported: ${error.message}`);
    throw error;
  }
}

/** A file with the login of each upstream that has a password. */
async function credentialFiles({ upstreams }: Config, options: ExportOptions): Promise<NewFile[]> {
  const files: NewFile[] = [];
  for (const [name, { credentials }] of Object.entries(upstreams)) {
    if (typeof credentials !== 'object' || !('passwordFile' in credentials)) continue;
    const password = await passwordOf(options.fileOf(credentials.passwordFile));
    const login = Buffer.from(`${credentials.username}:${password}`).toString('base64');
    files.push({
      path: options.credentialsFile(name),
      content: `proxy_set_header Authorization "Basic ${login}";\n`,
      mode: 0o600,
    });
  }
  return files;
}

async function passwordOf(file: string): Promise<string> {
  const bytes = await readBounded(file, MAX_PASSWORD_BYTES).catch((error: unknown) => {
    throw new UsageError(`the password file ${file} ${unreadable(error)}`);
  });
  if (bytes === undefined) throw new UsageError(`the password file ${file} is longer than ${MAX_PASSWORD_BYTES} bytes`);
  return bytes.toString('utf8').replace(/\r?\n$/, '');
}
