import type { Command } from 'commander';
import type { CoverageReport } from '../../replication/coverage/report.ts';
import { type AdminOptions, showAnswer, withAdminOptions } from './admin-client.ts';
import { coverageText } from './coverage-text.ts';

interface Options extends AdminOptions {
  pulled?: string;
  route?: string;
  grace?: string;
  limit?: string;
}

export function registerCoverage(program: Command): void {
  withAdminOptions(program.command('coverage'))
    .description(
      'Show which images could still be pulled if the primary died now. Exit status 1 if some could not, or too much is unknown for too long.',
    )
    .option('--pulled <time>', 'only images that clients pulled within that time: 12h, 7d')
    .option('--route <prefix>', 'only the route with this prefix; * is the route of everything else')
    .option(
      '--grace <time>',
      'how long a changed image may be unknown: 90s, 10m (default: twice replication.watch, at least 5m)',
    )
    .option(
      '--limit <number>',
      'most repositories shown of each route, and most images of each repository (default: 20)',
    )
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      const query = new URLSearchParams();
      for (const name of ['pulled', 'route', 'grace', 'limit'] as const)
        if (options[name] !== undefined) query.set(name, options[name]);
      const report = await showAnswer<CoverageReport>(options, `/api/coverage?${query}`, coverageText);
      if (report.verdict !== 'covered') process.exitCode = 1;
    });
}
