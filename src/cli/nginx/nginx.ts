import type { Command } from 'commander';
import type { ExportFlags } from './export-command.ts';
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
  nginx
    .command('export')
    .description(
      'Write an nginx configuration that does of a site what nginx can: plan B, if an edge cannot run. Pulls fail over; pushes, and the HEADs of blobs before them, go to the push upstream only. What nginx cannot do stands in comments at its top.',
    )
    .option('-c, --config <file>', 'configuration (default: BREAKWATER_CONFIG, else ./breakwater.yaml)')
    .option('-o, --output <folder>', 'write nginx.conf into this folder (default: standard output)')
    .option(
      '--with-credentials',
      'also write the logins of upstreams, as files of mode 0600 that nginx.conf includes; everybody who may pull here then uses them',
    )
    .option(
      '--open-fallback',
      'for auth.mode delegate: let everybody pull from fallbacks while the registry that decides about users is away',
    )
    .option('--force', 'replace files that are there')
    .option('--json', 'print JSON')
    .action(async (flags: ExportFlags) => {
      const { exportNginx } = await import('./export-command.ts');
      await exportNginx(flags);
    });
}
