import type { Command } from 'commander';
import type { CoverageReport } from '../../replication/coverage/report.ts';
import { type AdminOptions, askAdmin, withAdminOptions } from './admin-client.ts';
import { coverageText } from './coverage-text.ts';

interface Options extends AdminOptions {
  pulled?: string;
  route?: string;
  limit?: string;
  json?: boolean;
}

export function registerCoverage(program: Command): void {
  withAdminOptions(program.command('coverage'))
    .description(
      'If the primary died now: what could still be pulled, with the right digest? Exit status 1 if something could not, or not all is known.',
    )
    .option('--pulled <time>', 'only what clients pulled within that time: 12h, 7d')
    .option('--route <prefix>', 'only the route of this prefix; * is that of everything else')
    .option(
      '--limit <number>',
      'repositories with gaps that are told of each route, and references of each (default: 20)',
    )
    .option('--json', 'as JSON')
    .action(async (options: Options) => {
      const report = await askAdmin<CoverageReport>(options, `/api/coverage?${queryOf(options)}`);
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : coverageText(report, Date.now()));
      if (report.verdict !== 'covered') process.exitCode = 1;
    });
}

function queryOf({ pulled, route, limit }: Options): URLSearchParams {
  return new URLSearchParams({
    ...(pulled === undefined ? {} : { pulled }),
    ...(route === undefined ? {} : { route }),
    ...(limit === undefined ? {} : { limit }),
  });
}
