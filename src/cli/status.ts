import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Snapshot } from '../status/snapshot.ts';
import { adminUrl, getAdmin, givenAdminUrl } from './admin-client.ts';
import { configPath } from './config-path.ts';
import { ago, table } from './table.ts';

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description(
      'Show what the running edge knows: upstreams, breakers, pushes, last failovers. Exit status 1 if not all is well.',
    )
    .option('-c, --config <file>', 'configuration that names the admin listener')
    .option('--admin <url>', 'admin listener of the edge, instead of the one that the configuration names')
    .option('--json', 'as JSON')
    .action(async (options: { config?: string; admin?: string; json?: boolean }) => {
      const base =
        options.admin === undefined
          ? adminUrl((await loadConfig(configPath(options.config))).config)
          : givenAdminUrl(options.admin);
      const { content } = await getAdmin(base, '/api/status');
      const snapshot = content as Snapshot;
      process.stdout.write(options.json ? `${JSON.stringify(snapshot, null, 2)}\n` : statusText(snapshot, Date.now()));
      const well =
        snapshot.ready &&
        snapshot.upstreams.every((upstream) => upstream.state === 'up' && upstream.pushes?.admitted !== false);
      if (!well) process.exitCode = 1;
    });
}

/** The status as a person reads it. @param now epoch milliseconds */
export function statusText(snapshot: Snapshot, now: number): string {
  const since = (iso: string) => ago(now - Date.parse(iso));
  const upstreams = snapshot.upstreams.flatMap((upstream) =>
    upstream.urls.map((url) => {
      const breakers = Object.entries(url.breakers).filter(([, state]) => state !== 'closed');
      const trouble =
        breakers.length > 0 ? `  [${breakers.map(([name, state]) => `${name} breaker ${state}`).join(', ')}]` : '';
      return [
        '',
        upstream.name,
        url.state,
        `for ${since(url.since)}`,
        `canary ${url.canary}`,
        url.url,
        `${url.reason}${trouble}`,
      ];
    }),
  );
  const pushes = snapshot.upstreams
    .filter((upstream) => upstream.pushes !== undefined)
    .map(
      ({ name, pushes: gate }) =>
        `pushes to ${name}: ${gate?.admitted ? 'admitted' : `refused for ${since(gate?.since ?? '')} (${gate?.reason})`}`,
    );
  const failovers = snapshot.failovers
    .slice(0, 5)
    .map((one) => ['', `${since(one.at)} ago`, one.repository, `${one.from} -> ${one.to}`, one.reason]);
  return [
    ...snapshot.headline.lines,
    '',
    `${snapshot.hostname}: ${snapshot.ready ? 'serving' : 'not ready'}, breakwater ${snapshot.version}, up ${since(snapshot.startedAt)}`,
    table(upstreams),
    ...pushes,
    failovers.length > 0 ? `last failovers:\n${table(failovers)}` : 'no failovers yet',
    '',
  ].join('\n');
}
