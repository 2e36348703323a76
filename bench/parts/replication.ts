import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mapLimit } from '../../src/replication/map-limit.ts';
import { putImageSet } from '../../test/helpers/image-set.ts';
import { Program } from '../../test/helpers/program.ts';
import { type Registry, startRegistry } from '../../test/helpers/registry.ts';
import { tagsOf, walkRegistry } from '../../test/helpers/registry-walk.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { tool } from '../../test/helpers/tool.ts';
import { interleave } from '../interleave.ts';
import type { Options } from '../options.ts';
import { edgeLauncher } from '../proxies/edge-package.ts';
import { median } from '../report/median.ts';
import { figure, type Section } from '../report/section.ts';
import { atLeast, atMost, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { startManyTags } from '../upstreams/many-tags.ts';

/** One program that copies, and its cost. */
interface Copied {
  seconds: number;
  /** Requests that both registries answered. */
  requests: number;
}

interface Contender {
  name: string;
  command: (target: Registry) => Promise<{ command: string; args: string[]; env?: NodeJS.ProcessEnv }>;
}

interface Compared {
  ms: number;
  rssBefore: number;
  rssPeak: number;
  found: Record<string, number>;
  requests: number;
}

const LAYER_BYTES = 200_000;
const EDGE = 'breakwater sync';
const RIVAL = 'skopeo sync';

/** Copies between two real registries, and what it costs to find that there is nothing to copy. */
export async function benchReplication(scope: Scope, options: Options): Promise<Section> {
  const [images, tags] = options.short ? [20, 400] : [200, 10_000];
  const items = options.selection.itemsOf('replication');
  const problems: string[] = [];
  const copied = items.includes('copy') ? await scope.within((inner) => copies(inner, options, images, problems)) : [];
  const compared = items.includes('compare') ? await scope.within((inner) => comparison(inner, tags)) : undefined;
  const rows = copied.map(({ name, runs }) => [
    name,
    figure(median(runs.map(({ seconds }) => seconds)), 2),
    figure(median(runs.map(({ requests }) => requests)) / images, 1),
    '',
  ]);
  if (compared) {
    const { ms, requests, rssBefore, rssPeak } = compared;
    const grown = figure((rssPeak - rssBefore) / 1e6, 0);
    rows.push([`comparison of ${tags} tags`, figure(ms / 1000, 2), figure(requests / tags, 2), grown]);
    const { same = 0, ...others } = compared.found;
    if (same < tags || Object.keys(others).length > 0)
      problems.push(`of ${tags} tags that are the same were found: ${JSON.stringify(compared.found)}`);
  }
  return {
    title: 'Replication',
    about: `Copies of ${images} images between two docker-registry processes, each time to an empty one. The images are versions of 20 programs. Each has three layers of a base image, three that all versions of its program share, and two of its own, of ${LAYER_BYTES} bytes each. Every fifth image is an index of three platforms. The figures are medians of ${options.rounds} rounds, in turns. At the end, everything that was copied is compared byte by byte. The comparison is that of two equal registries, as in a regular comparison. Requests are those that both registries answered, by image or tag. Memory is in MB of 10^6 bytes, beyond that of a process that has compared one repository.`,
    columns: ['what', 'seconds', 'requests', 'RSS growth MB'],
    rows,
    targets: [...copyTargets(copied), ...compareTargets(compared, tags)],
    data: { copied, compared },
    problems,
  };
}

async function copies(scope: Scope, options: Options, images: number, problems: string[]) {
  const source = await startRegistry(scope);
  await putImageSet(source.url, { images, layerBytes: LAYER_BYTES, repositories: 20, buildCache: false });
  const launcher = await edgeLauncher();
  const folder = temporaryFolder(scope);
  const list = await skopeoList(folder, source);
  const contenders: Contender[] = [
    { name: EDGE, command: async ({ url }) => ({ command: launcher, args: ['sync', source.url, url, '--json'] }) },
    {
      name: RIVAL,
      command: async ({ address }) => ({
        command: tool('skopeo'),
        args: [
          ...['--insecure-policy', 'sync', '--all', '--src', 'yaml', '--dest', 'docker'],
          ...['--dest-tls-verify=false', list, address],
        ],
        // A new home folder, because skopeo remembers the blobs of earlier runs.
        env: { ...process.env, HOME: temporaryFolder(scope), XDG_DATA_HOME: temporaryFolder(scope) },
      }),
    },
  ];
  let runsSoFar = 0;
  const runs = await interleave(contenders, options, ({ command, name }, warmUp) =>
    scope.within(async (inner) => {
      const target = await startRegistry(inner);
      const { command: file, args, env } = await command(target);
      runsSoFar += 1;
      const logFile = join(folder, `${runsSoFar}.log`);
      const before = await answered(source, target);
      const program = new Program(inner, { command: file, args, logFile, ...(env ? { env } : {}) });
      const began = performance.now();
      program.start();
      const status = await program.ended();
      const seconds = (performance.now() - began) / 1000;
      if (status !== 0) throw new Error(`${name}: ${status}\n${program.log().slice(-2000)}`);
      const requests = (await answered(source, target)) - before;
      if (name === EDGE && !warmUp)
        problems.push(...(await differences(source, target, runsSoFar <= 1 + options.warmUps * contenders.length)));
      return { seconds, requests };
    }),
  );
  return contenders.map(({ name }, index) => ({ name, runs: runs[index] ?? [] }));
}

/** The list of repositories in skopeo's own format, because skopeo does not read a catalog. */
async function skopeoList(folder: string, source: Registry): Promise<string> {
  const file = join(folder, 'list.yaml');
  const names = [...(await tagsOf(source.url)).keys()].map((name) => `    ${name}: []\n`);
  await writeFile(file, `${source.address}:\n  tls-verify: false\n  images:\n${names.join('')}`);
  return file;
}

/** Requests that both registries have answered so far. Their logs come a little later than their answers. */
async function answered(...registries: readonly Registry[]): Promise<number> {
  const count = () => registries.reduce((sum, registry) => sum + registry.requests().length, 0);
  let seen: number;
  do {
    seen = count();
    await delay(300);
  } while (count() > seen);
  return seen;
}

/** @param whole compares every byte, and not only manifests and lengths */
async function differences(source: Registry, target: Registry, whole: boolean): Promise<string[]> {
  const found: string[] = [];
  const tags = [...(await tagsOf(source.url))].flatMap(([repository, names]) =>
    names.map((tag) => [repository, tag] as const),
  );
  await mapLimit(tags, 8, async ([repository, tag]) => {
    const here = await walkRegistry(source.url, repository, tag, { whole });
    const there = await walkRegistry(target.url, repository, tag, { whole });
    const same = [...here.found].every(([digest, what]) => there.found.get(digest) === what);
    if (!same || there.missing.length > 0) found.push(`${repository}:${tag} is not the same on both`);
  });
  return found;
}

async function comparison(scope: Scope, tags: number): Promise<Compared> {
  const { source, target } = await startManyTags(scope, tags);
  const before = await answered(source, target);
  const logFile = join(temporaryFolder(scope), 'compare.log');
  // The arguments with which the edge is started.
  const args = [
    '--max-semi-space-size=4',
    '--heap-growing-percent=40',
    join(import.meta.dirname, '../load/compare-registries.ts'),
    source.url,
    target.url,
  ];
  const program = new Program(scope, { command: process.execPath, args, logFile });
  program.start();
  const status = await program.ended();
  if (status !== 0) throw new Error(`the comparison ended with ${status}\n${program.log().slice(-2000)}`);
  return { ...JSON.parse(program.log()), requests: (await answered(source, target)) - before };
}

function copyTargets(copied: readonly { name: string; runs: readonly Copied[] }[]): Target[] {
  if (copied.length === 0) return [];
  const seconds = (name: string) =>
    median((copied.find((one) => one.name === name)?.runs ?? []).map((run) => run.seconds));
  const value = seconds(RIVAL) / seconds(EDGE);
  return [atLeast({ what: 'full copy to an empty registry', value, bound: 4, unit: ' x skopeo sync' })];
}

function compareTargets(compared: Compared | undefined, tags: number): Target[] {
  if (!compared) return [];
  const { ms, rssBefore, rssPeak, requests } = compared;
  return [
    atMost({ what: `comparison of ${tags} tags`, value: ms / 1000, bound: 60, unit: ' s', digits: 1 }),
    atMost({ what: 'growth of its RSS', value: (rssPeak - rssBefore) / 1e6, bound: 50, unit: ' MB', digits: 0 }),
    // One HEAD, with its share of the list of its repository and of the catalog.
    atMost({ what: 'its requests, by tag and side', value: requests / tags / 2, bound: 1.05, unit: '', digits: 3 }),
  ];
}
