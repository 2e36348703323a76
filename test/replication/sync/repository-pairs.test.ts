import type { IncomingMessage, ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import { type LabRegistry, startLabRegistry } from '../../../src/lab/registry.ts';
import { RepositoryMap } from '../../../src/replication/sync/repository-map.ts';
import { repositoryPairs } from '../../../src/replication/sync/repository-pairs.ts';
import { RegistryFront } from '../../helpers/registry-front.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';

const REPOSITORIES = ['project/app', 'project/deep/er/tool', 'project/deep', 'project/zoo', 'projects/x', 'else/where'];

async function start(t: Test, repositories = REPOSITORIES): Promise<LabRegistry> {
  const registry = await startLabRegistry({ pageSize: 2 });
  t.teardown(() => registry.close());
  for (const name of repositories) registry.seed(name, '1', { blobs: [1] });
  return registry;
}

/** As Artifact Registry lists: no catalog, but what is one level below a name. */
async function levels(
  t: Test,
  registry: LabRegistry,
  tell = (_name: string, list: object): unknown => list,
): Promise<string> {
  const answer = async ({ url = '' }: IncomingMessage, response: ServerResponse) => {
    if (url.startsWith('/v2/_catalog')) {
      response.writeHead(403).end();
      return 'answered' as const;
    }
    const [, name] = /^\/v2\/(.+)\/tags\/list/.exec(url) ?? [];
    if (name === undefined) return 'pass' as const;
    const below = REPOSITORIES.filter((one) => one.startsWith(`${name}/`));
    const child = [...new Set(below.map((one) => one.slice(name.length + 1).split('/')[0]))];
    const tags = REPOSITORIES.includes(name) ? ['1'] : [];
    const known = child.length + tags.length > 0;
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(tell(name, known ? { name, child, tags, manifest: {} } : {})));
    return 'answered' as const;
  };
  const front = new RegistryFront(t, answer);
  await front.listen();
  front.before(registry.url.replace('http://', ''));
  return `http://${front.address}`;
}

async function pairs(
  t: Test,
  url: string,
  map: RepositoryMap,
  { names, prefix = '' }: { names?: string[]; prefix?: string } = {},
): Promise<string[]> {
  const source = remoteRegistry(t, 'gcr', url);
  const found: string[] = [];
  const options = { source, map, names, prefix };
  for await (const pair of repositoryPairs(options, new AbortController().signal)) found.push(pair.target);
  return found.sort();
}

const project = RepositoryMap.ofPrefixes('project/', 'library/');
const all = RepositoryMap.ofPrefixes('', '');
const inProject = ['library/app', 'library/deep', 'library/deep/er/tool', 'library/zoo'];

t.test('by the catalog, by names', async (t) => {
  const { url } = await start(t);
  t.strictSame(await pairs(t, url, project), inProject);
  t.strictSame(await pairs(t, url, project, { prefix: 'project/d' }), inProject.slice(1, 3));
  t.strictSame(await pairs(t, url, all), [...REPOSITORIES].sort());
  t.strictSame(await pairs(t, url, project, { names: ['project/app', 'project/none'] }), [
    'library/app',
    'library/none',
  ]);
});

t.test('level by level where there is no catalog', async (t) => {
  const registry = await start(t);
  const url = await levels(t, registry);
  t.strictSame(await pairs(t, url, project), inProject);
  t.strictSame(await pairs(t, url, project, { prefix: 'project/deep/e' }), ['library/deep/er/tool']);
  t.strictSame(
    await pairs(t, url, all, { prefix: 'project/d' }),
    ['project/deep', 'project/deep/er/tool'],
    'below the prefix that is asked for, where the map begins with nothing',
  );
  await t.rejects(pairs(t, url, all, { prefix: 'pro' }), /gcr does not list its repositories \(403\)/);
  await t.rejects(
    pairs(t, url, all),
    /gcr does not list its repositories \(403\)/,
    'from nothing there is nothing below',
  );
  await t.rejects(pairs(t, url, RepositoryMap.ofPrefixes('nowhere/', '')), /does not list its repositories/);
});

t.test('a level that tells of none below it has its tags, and one that is none fails', async (t) => {
  const registry = await start(t);
  const bare = await levels(t, registry, (name, list) => (name === 'project/app' ? { name, tags: ['1'] } : list));
  t.strictSame(await pairs(t, bare, project), inProject);
  const broken = await levels(t, registry, (name, list) => (name === 'project/app' ? '<html>' : list));
  await t.rejects(pairs(t, broken, project), /gcr does not list the tags of project\/app \(200: .* no list/);
});

t.test('a registry that tells neither', async (t) => {
  const registry = await start(t, ['project', ...REPOSITORIES]);
  await registry.faults.on('errors', { status: 404, kind: 'catalog' });
  await t.rejects(pairs(t, registry.url, project), /gcr does not list its repositories \(404\)/);
});
