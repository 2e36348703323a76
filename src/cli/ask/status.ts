import type { Command } from 'commander';
import { replicationNews } from '../../status/snapshot/replication-lines.ts';
import type { Snapshot } from '../../status/snapshot/snapshot.ts';
import { CONFIG_OPTION, findAdmin, getAdmin } from './admin-client.ts';
import { statusText } from './status-text.ts';

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description(
      'Show what the running edge knows: upstreams, breakers, pushes, last failovers. Exit status 1 if not all is well.',
    )
    .option('-c, --config <file>', CONFIG_OPTION)
    .option('--admin <url>', 'admin listener of the edge, instead of the one that the configuration names')
    .option('--json', 'as JSON')
    .action(async (options: { config?: string; admin?: string; json?: boolean }) => {
      const base = await findAdmin(options);
      const { content } = await getAdmin(base, '/api/status');
      const snapshot = content as Snapshot;
      process.stdout.write(options.json ? `${JSON.stringify(snapshot, null, 2)}\n` : statusText(snapshot, Date.now()));
      if (!isWell(snapshot)) process.exitCode = 1;
    });
}

function isWell({ ready, upstreams, replication, at }: Snapshot): boolean {
  const { degraded } = replicationNews(replication, () => false, Date.parse(at));
  return (
    ready &&
    !degraded &&
    upstreams.every(({ state, pushes, rotten }) => state === 'up' && pushes?.admitted !== false && rotten.count === 0)
  );
}
