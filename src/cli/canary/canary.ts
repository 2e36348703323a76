import type { Command } from 'commander';
import type { CanaryPushOptions } from './canary-target.ts';

/** `breakwater canary push [UPSTREAM...]` */
export function registerCanary(program: Command): void {
  const canary = program
    .command('canary')
    .description('Make the small images by which probes see whether a registry reaches its storage.');
  canary
    .command('push')
    .argument('[upstream...]', 'upstreams of the configuration (default: each push upstream and its fallbacks)')
    .description(
      'Push a tiny image to each registry itself, also while the edge is down. Its name is probe.canary, else a name that is printed for the configuration. An existing image stays as it is. Exit status 1 if a registry does not have its canary at the end.',
    )
    .option('-c, --config <file>', 'configuration (default: BREAKWATER_CONFIG, else ./breakwater.yaml)')
    .option('--user <name>', 'user that may push, for one upstream (default: as replication copies to it)')
    .option('--password-file <file>', 'file with the password of that user')
    .option(
      '--new',
      'also to an empty push upstream whose fallback has images, because it is a new registry, and its storage is not missing',
    )
    .option('--json', 'print JSON')
    .action(async (upstreams: string[], options: CanaryPushOptions) => {
      // Loaded lazily, because no other command needs the code that copies.
      const { pushCanaries } = await import('./canary-push.ts');
      if (!(await pushCanaries(upstreams, options))) process.exitCode = 1;
    });
}
