import type { Command } from 'commander';
import type { CoverageReport } from '../../replication/coverage/report.ts';
import { UsageError } from '../config-path.ts';
import { CONFIG_OPTION, findAdmin, getAdmin } from './admin-client.ts';
import { coverageText } from './coverage-text.ts';

interface Options {
  pulled?: string;
  route?: string;
  limit?: string;
  config?: string;
  admin?: string;
  json?: boolean;
}

export function registerCoverage(program: Command): void {
  program
    .command('coverage')
    .description(
      'If the primary died now: what could still be pulled, with the right digest? Exit status 1 if something could not, or not all is known.',
    )
    .option('--pulled <time>', 'only what clients pulled within that time: 12h, 7d')
    .option('--route <prefix>', 'only the route of this prefix; * is that of everything else')
    .option(
      '--limit <number>',
      'repositories with gaps that are told of each route, and references of each (default: 20)',
    )
    .option('-c, --config <file>', CONFIG_OPTION)
    .option('--admin <url>', 'admin listener of the edge, instead of the one that the configuration names')
    .option('--json', 'as JSON')
    .action(async (options: Options) => {
      const base = await findAdmin(options);
      const { status, content } = await getAdmin(base, `/api/coverage?${queryOf(options)}`);
      if (status !== 200) throw new UsageError(messageOf(content));
      const report = content as CoverageReport;
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

function messageOf(content: unknown): string {
  const first = (content as { errors?: { message?: string }[] })?.errors?.[0]?.message;
  return first ?? 'the edge could not tell';
}
