import type { Command } from 'commander';
import type { ImportFlags } from './import-command.ts';

/** `breakwater nginx`: reads configurations of nginx, and writes them. */
export function registerNginx(program: Command): void {
  const nginx = program
    .command('nginx')
    .description('Make a configuration of Breakwater from one of nginx, and one of nginx from that of Breakwater.');
  nginx
    .command('import')
    .argument(
      '<file...>',
      'configurations of nginx, the main one first, or what `nginx -T` prints; - is standard input',
    )
    .description(
      'Read an nginx configuration, with what it includes, and write breakwater.yaml and a report: every directive was taken over, is better now, or cannot be. Without --output, the configuration goes to standard output and the report to standard error. Exit status 1 if something important cannot be taken over.',
    )
    .option('-o, --output <folder>', 'write breakwater.yaml and import-report.txt into this folder')
    .option('--server <name>', 'NAME or NAME:PORT of the server to import, if there are several')
    .option('--hostname <name>', 'the name that clients use, if server_name does not say it')
    .option('--prefix <folder>', 'folder that relative names belong to (default: that of the first file)')
    .option('--write-secrets', 'also write the passwords of the configuration into files of mode 0600')
    .option('--force', 'replace files that are there')
    .option('--json', 'print JSON')
    .action(async (files: string[], flags: ImportFlags) => {
      // Loaded lazily, because no other command needs it.
      const { importNginx } = await import('./import-command.ts');
      if (!(await importNginx(files, flags))) process.exitCode = 1;
    });
}
