import { basename, resolve } from 'node:path';
import { configurationText } from '../../nginx/import/configuration-text.ts';
import { type Imported, importSite } from '../../nginx/import/import-site.ts';
import type { Choice } from '../../nginx/import/registry-servers.ts';
import { type ReportLine, reportLines } from '../../nginx/import/report.ts';
import { UsageError } from '../config-path.ts';
import { type NewFile, writeNewFiles } from '../new-file.ts';
import { readConfiguration } from './read-configuration.ts';
import { reportText, summaryText } from './report-text.ts';

export interface ImportFlags {
  output?: string;
  hostname?: string;
  server?: string;
  prefix?: string;
  writeSecrets?: boolean;
  force?: boolean;
  json?: boolean;
}

const NAME = /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i;

/** `breakwater nginx import`. @returns whether everything important was taken over @throws UsageError */
export async function importNginx(paths: readonly string[], flags: ImportFlags): Promise<boolean> {
  if (flags.hostname !== undefined && !NAME.test(flags.hostname))
    throw new UsageError(
      `--hostname ${JSON.stringify(flags.hostname)} is no host name without a port, such as cr.example.io`,
    );
  if (flags.writeSecrets && flags.output === undefined)
    throw new UsageError('--write-secrets needs --output, the folder for the files');
  const server = choiceOf(flags.server);
  const read = await readConfiguration(paths, flags.prefix);
  const imported = importSite(read.directives, {
    hostname: flags.hostname,
    server,
    fileOf: (name) => resolve(read.prefix, name),
  });
  const lines = reportLines(read.directives, imported);
  const source = paths.map((path) => (path === '-' ? 'standard input' : basename(path))).join(', ');
  const text = imported.config && configurationText(imported.config, imported.notes.todo, source);
  if (flags.output === undefined) print({ text, lines, imported, json: flags.json });
  else await write(flags.output, { text, lines, imported, flags });
  if (text === undefined) process.stderr.write(`breakwater: ${nothingFound(flags.server)}\n`);
  return text !== undefined && !lines.some(({ isImportant }) => isImportant);
}

function choiceOf(text: string | undefined): Choice | undefined {
  if (text === undefined) return undefined;
  const [, name = '', port] = /^([^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (!NAME.test(name))
    throw new UsageError(`--server ${JSON.stringify(text)} is not NAME or NAME:PORT, such as cr.example.io:443`);
  return { name: name.toLowerCase(), port };
}

function nothingFound(server: string | undefined): string {
  const found =
    server === undefined
      ? 'no server sends requests for /v2/ to a registry'
      : `no server of the registry API is called ${server}`;
  return `${found}, so there is no configuration to write. Expected a server block with proxy_pass; name the main file, such as /etc/nginx/nginx.conf, or what nginx -T prints.`;
}

interface Result {
  text: string | undefined;
  lines: readonly ReportLine[];
  imported: Imported;
}

function print({ text, lines, imported, json }: Result & { json: boolean | undefined }): void {
  const { todo } = imported.notes;
  if (json)
    return void process.stdout.write(
      `${JSON.stringify({ configuration: text ?? null, todo, report: lines }, null, 2)}\n`,
    );
  if (text !== undefined) process.stdout.write(text);
  process.stderr.write(reportText(lines, text === undefined ? todo : []));
}

async function write(folder: string, { text, lines, imported, flags }: Result & { flags: ImportFlags }): Promise<void> {
  const { todo } = imported.notes;
  const at = (name: string) => resolve(folder, name);
  const files: NewFile[] = [{ path: at('import-report.txt'), content: reportText(lines, todo), mode: 0o644 }];
  if (text !== undefined) files.unshift({ path: at('breakwater.yaml'), content: text, mode: 0o644 });
  if (flags.writeSecrets)
    files.push(...imported.secrets.map(({ file, content }) => ({ path: at(file), content, mode: 0o600 })));
  await writeNewFiles(files, { force: flags.force === true });
  if (flags.json)
    return void process.stdout.write(
      `${JSON.stringify({ files: files.map(({ path }) => path), todo, report: lines }, null, 2)}\n`,
    );
  process.stdout.write(files.map(({ path }) => `${path} was written\n`).join(''));
  process.stdout.write(summaryText(lines));
}
