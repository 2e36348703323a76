import { KINDS } from '../../src/clients/kinds.ts';
import { command, type Finished, tryCommand } from '../helpers/command.ts';
import { LAUNCHER } from '../helpers/edge.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { NodeFiles } from './node-files.ts';
import { HOSTNAME, IMAGES, type NodeSite, startNodeSite } from './node-site.ts';
import { PROGRAMS, type ProgramKind, type Puller } from './pullers.ts';

/** What the site is like while nodes pull. */
export const STATES = ['healthy', 'frozen', 'dead'] as const;
export type State = (typeof STATES)[number];

export interface Row {
  program: string;
  version: string;
  /** Undefined: the program cannot do it. */
  pulled: Record<State, boolean | undefined>;
  /** What a program said that did not pull. */
  said: string[];
}

/** Lets each program pull from a healthy site, with the primary frozen, and with no edge but a fallback as second host. */
export async function runNodes(owner: Owner, programs: readonly string[]): Promise<Row[]> {
  const site = await startNodeSite(owner, STATES);
  const rows: Row[] = [];
  const pullers: [Row, ProgramKind, Puller, Puller | undefined][] = [];
  for (const name of programs) {
    const kind = PROGRAMS[name];
    if (!kind) throw new Error(`no program is called ${name}`);
    const row: Row = {
      program: name,
      version: await kind.version(),
      pulled: { healthy: undefined, frozen: undefined, dead: undefined },
      said: [],
    };
    rows.push(row);
    const second = kind.withFallback ? await start(owner, site, kind, row, true) : undefined;
    pullers.push([row, kind, await start(owner, site, kind, row, false), second]);
  }
  const pullAll = async (state: State) => {
    for (const [row, , puller, second] of pullers) {
      const one = state === 'dead' ? second : puller;
      if (one) row.pulled[state] = await pulls(row, site, one, state);
    }
  };
  await pullAll('healthy');
  site.harbor.freeze();
  await site.edge.waitFor(
    ({ upstreams }) => upstreams.some(({ name, state }) => name === 'harbor' && state === 'down'),
    60_000,
  );
  await pullAll('frozen');
  await site.edge.kill();
  await pullAll('dead');
  return rows;
}

async function start(
  owner: Owner,
  site: NodeSite,
  kind: ProgramKind,
  row: Row,
  withFallback: boolean,
): Promise<Puller> {
  const node = new NodeFiles(owner, HOSTNAME);
  const version = kind.kind === 'containerd' ? ['--client-version', row.version] : [];
  return kind.start(owner, node, () =>
    node.install(kind.kind, [...site.options(kind.withPrefix, withFallback), ...version]),
  );
}

/** Both images; the mirrored one has no other place when no edge is there. */
async function pulls(row: Row, site: NodeSite, puller: Puller, state: State): Promise<boolean> {
  const done: Finished[] = [];
  for (const kind of state === 'dead' ? IMAGES.slice(0, 1) : IMAGES)
    done.push(await puller.tryPull(site.image(kind, state)));
  for (const { status, output } of done) if (status !== 0) row.said.push(`${row.program}, ${state}: ${output.trim()}`);
  return done.every(({ status }) => status === 0);
}

/** Rules of `breakwater client --lint` that find something in the files that `breakwater client` wrote for a node that had none. */
export async function lintGenerated(owner: Owner, kind: string): Promise<string[]> {
  const folder = temporaryFolder(owner);
  const host = ['--hostname', 'cr.example.io'];
  const { needsVersion, versions = [] } = KINDS[kind] ?? {};
  const version = needsVersion ? ['--client-version', versions.at(-1) ?? ''] : [];
  const mirror = ['--mirror', kind === 'docker' || kind === 'gitlab-ci' ? 'docker.io' : 'docker.io=hub/'];
  await command(LAUNCHER, ['client', kind, ...host, ...mirror, ...version, '--output', folder]);
  const { stdout, status, output } = await tryCommand(LAUNCHER, ['client', '--lint', folder, ...host, '--json']);
  if (status !== 0 && status !== 1) return [output.trim()];
  const { findings }: { findings: { rule: string }[] } = JSON.parse(stdout);
  return [...new Set(findings.map(({ rule }) => rule))];
}
