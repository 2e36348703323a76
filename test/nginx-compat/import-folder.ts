import { join } from 'node:path';
import { readConfiguration } from '../../src/cli/nginx/read-configuration.ts';
import { reportText } from '../../src/cli/nginx/report-text.ts';
import { configurationText } from '../../src/nginx/import/configuration-text.ts';
import { type Imported, importSite } from '../../src/nginx/import/import-site.ts';
import { type ReportLine, reportLines } from '../../src/nginx/import/report.ts';
import type { Directive } from '../../src/nginx/syntax/directive.ts';

export const IMPORTS = join(import.meta.dirname, 'import');

/** Options that a configuration needs. */
const OPTIONS: Record<string, { hostname?: string }> = {
  'artifactory-subdomain': { hostname: 'docker-local.art.example.io' },
};

export interface ImportedFolder {
  configuration: string;
  report: string;
  lines: ReportLine[];
  imported: Imported;
  directives: Directive[];
}

/** Imports `test/nginx-compat/import/NAME/nginx.conf`, as the command does. */
export async function importFolder(name: string): Promise<ImportedFolder> {
  const folder = join(IMPORTS, name);
  const { directives } = await readConfiguration([join(folder, 'nginx.conf')]);
  // Relative names lie in the folder that nginx is installed with.
  const fileOf = (file: string) => (file.startsWith('/') ? file : `/etc/nginx/${file}`);
  const imported = importSite(directives, { ...OPTIONS[name], fileOf });
  const lines = reportLines(directives, imported);
  const { todo } = imported.notes;
  const configuration = imported.config ? configurationText(imported.config, todo, 'nginx.conf') : '';
  return { configuration, report: reportText(lines, todo).replaceAll(`${folder}/`, ''), lines, imported, directives };
}
