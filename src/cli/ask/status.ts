import type { Command } from 'commander';
import type { Snapshot } from '../../status/snapshot/snapshot.ts';
import { type AdminOptions, showAnswer, withAdminOptions } from './admin-client.ts';
import { statusText } from './status-text.ts';

export function registerStatus(program: Command): void {
  withAdminOptions(program.command('status'))
    .description(
      'Show upstreams, pushes, replication and recent failovers of the running edge. Exit status 1 if anything is degraded.',
    )
    .option('--json', 'print JSON')
    .action(async (options: AdminOptions) => {
      const snapshot = await showAnswer<Snapshot>(options, '/api/status', statusText);
      if (snapshot.headline.level !== 'well') process.exitCode = 1;
    });
}
