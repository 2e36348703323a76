import { type Command, InvalidArgumentError, Option } from 'commander';
import { readByteRate, type SyncCommandOptions } from './options.ts';

/** `breakwater sync FROM TO`: copies the images that one registry has and another lacks. */
export function registerSync(program: Command): void {
  const sync = program
    .command('sync')
    .argument('<from>', 'source: an upstream of the configuration, or a URL such as https://registry.lan/team/')
    .argument('<to>', 'target, likewise; between two upstreams the routes map the names')
    .description(
      'Copy the images that one registry has and another lacks: to fill a fallback, to rebuild a primary from it, or to move to a new registry. Exit status 1 if any image is missing at the end.',
    )
    .option('-c, --config <file>', 'configuration (default: BREAKWATER_CONFIG, else ./breakwater.yaml)')
    .option('--dry-run', 'only show what would be copied; exit status 1 if there is anything')
    .option('--prefix <text>', 'only repositories whose name on FROM begins with this text')
    .option('--repository <name...>', 'only these repositories of FROM; its catalog is not needed')
    .option('--repository-file <file>', 'read the names from a file, one a line')
    .option('--tag-filter <glob...>', 'only tags such as v1.* or {stable,latest}, with the signatures of their images')
    .addOption(
      new Option(
        '--keep',
        'do not replace tags with another digest on TO (default where TO is a push upstream)',
      ).conflicts(['replace', 'newer']),
    )
    .option('--replace', 'replace tags with another digest on TO by those of FROM (default elsewhere)')
    .addOption(
      new Option(
        '--newer',
        'after a restore of TO: copy only tags that are newer on FROM, by the ledger of the running edge, else by push or upload times; name the tags for which neither is known',
      ).conflicts('replace'),
    )
    .option('--admin <url>', 'with --newer: URL of the admin listener of the edge whose ledger is asked')
    .option('--token-file <file>', 'with --newer: file with the token of that admin listener')
    .option('--images <n>', 'images copied in parallel (default: as configured, else 4)', between(1, 64))
    .option(
      '--blobs <n>',
      'blobs copied in parallel, over all images (default: as configured, else 8)',
      between(1, 256),
    )
    .option('--max-bandwidth <rate>', 'bytes a second: 20MB, 500k (default: as configured, else no limit)', rate)
    .option('--json', 'print one JSON document')
    .option('--from-prefix <prefix>', 'prefix of the names on FROM, instead of the prefix in the routes')
    .option('--to-prefix <prefix>', 'prefix of the names on TO');
  for (const which of ['from', 'to'] as const) {
    const side = which.toUpperCase();
    sync
      .option(`--${which}-user <name>`, `user for ${side} if it is a URL`)
      .option(`--${which}-password-file <file>`, 'file with the password of that user')
      .option(`--${which}-ca <file>`, `PEM file of the CA that signed the certificate of ${side}`)
      .option(
        `--${which}-realm-host <host...>`,
        `other hosts with a token service of ${side}, which may get the password`,
      );
  }
  sync
    .option(
      '--from-redirect-host <host...>',
      'storage hosts that FROM redirects to for blobs; a leading dot includes all subdomains',
    )
    .action(async (from: string, to: string, options: SyncCommandOptions) => {
      // Loaded lazily, because no other command needs the code that copies.
      const { syncSession } = await import('./session.ts');
      if (!(await syncSession(from, to, options))) process.exitCode = 1;
    });
}

function between(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,4}$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a number from ${least} to ${most}.`);
  };
}

function rate(text: string): number {
  const value = readByteRate(text);
  if (value === undefined) throw new InvalidArgumentError('bytes a second, such as 500k, 20MB or 1.5GiB.');
  return value;
}
