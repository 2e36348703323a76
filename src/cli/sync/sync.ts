import { type Command, InvalidArgumentError, Option } from 'commander';
import { readByteRate } from './byte-rate.ts';
import type { SyncCommandOptions } from './options.ts';

/** `breakwater sync FROM TO`: a registry brought in step with another, once. */
export function registerSync(program: Command): void {
  const sync = program
    .command('sync')
    .argument('<from>', 'an upstream of the configuration, or a URL: https://registry.lan, https://registry.lan/team/')
    .argument('<to>', 'the same; between two upstreams the routes say what is where')
    .description(
      'Copy what one registry has and another lacks, by digest: to fill a fallback, to rebuild a primary from it, to move to a new registry. Exit status 1 if anything is missing at the end.',
    )
    .option('-c, --config <file>', 'configuration (default: BREAKWATER_CONFIG, else ./breakwater.yaml)')
    .option('--dry-run', 'only say what would be copied; exit status 1 if there is anything')
    .option('--prefix <text>', 'only repositories whose names on FROM begin with this')
    .option('--repository <name...>', 'only these repositories of FROM, whose catalog is not asked for')
    .option('--repository-file <file>', 'the same from a file, one a line')
    .option('--tag-filter <glob...>', 'only tags such as v1.* or {stable,latest}, with the signatures of their images')
    .addOption(
      new Option('--keep', 'tags that TO has at another digest stay (default where TO is a push upstream)').conflicts(
        'replace',
      ),
    )
    .option('--replace', 'tags that TO has at another digest become those of FROM (default elsewhere)')
    .option('--images <n>', 'images at once (default: as configured, else 4)', between(1, 64))
    .option('--blobs <n>', 'blobs at once, over all images (default: as configured, else 8)', between(1, 256))
    .option('--max-bandwidth <rate>', 'bytes a second: 20MB, 500k (default: as configured, else no bound)', rate)
    .option('--json', 'one JSON document')
    .option('--from-prefix <prefix>', 'what names on FROM begin with, in place of what the routes say')
    .option('--to-prefix <prefix>', 'what stands in place of it on TO');
  for (const which of ['from', 'to'] as const) {
    const side = which.toUpperCase();
    sync
      .option(`--${which}-user <name>`, `user for ${side}, where it is a URL`)
      .option(`--${which}-password-file <file>`, 'file that holds the password of that user')
      .option(`--${which}-ca <file>`, `PEM file of the authority that signed the certificate of ${side}`)
      .option(
        `--${which}-realm-host <host...>`,
        `token services of ${side} on other hosts that may be given the password`,
      );
  }
  sync
    .option(
      '--from-redirect-host <host...>',
      'storage that FROM redirects to for blobs; a leading dot takes all below it',
    )
    .action(async (from: string, to: string, options: SyncCommandOptions) => {
      // Only here: no other command needs what copies.
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
