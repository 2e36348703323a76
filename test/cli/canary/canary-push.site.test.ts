import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { CanaryReport } from '../../../src/cli/canary/canary-text.ts';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { commandLine } from '../../helpers/command-line.ts';
import { PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');
const USER = { username: 'robot$edge', password: 'replication-password' };
const CREDENTIALS = { username: USER.username, passwordFile: 'replication.secret' };

interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

/** Not synchronous: the registries are in this process. */
function push(config: string, ...args: string[]): Promise<Ran> {
  const [file, rest] = commandLine(launcher, ['canary', 'push', '--config', config, ...args]);
  return new Promise((resolve) => {
    execFile(file, rest, (error, stdout, stderr) => resolve({ status: Number(error?.code ?? 0), stdout, stderr }));
  });
}

async function pushJson(config: string, ...args: string[]): Promise<{ status: number; reports: CanaryReport[] }> {
  const { status, stdout } = await push(config, ...args, '--json');
  return { status, reports: JSON.parse(stdout) };
}

async function site(t: Test, harbor: LabRegistryOptions = {}, gcr: LabRegistryOptions = {}) {
  const [primary, fallback] = await Promise.all([startLabRegistry(harbor), startLabRegistry(gcr)]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  return { primary, fallback };
}

async function configFor(
  t: Test,
  { primary, fallback }: { primary: LabRegistry; fallback: LabRegistry },
  harbor: object = {},
  gcr: object = {},
): Promise<string> {
  const config = join(await writeMaterial(t), 'breakwater.yaml');
  const settings = {
    hostname: 'cr.example.io',
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    upstreams: { harbor: { urls: [primary.url], ...harbor }, gcr: { urls: [fallback.url], ...gcr } },
    routes: [
      {
        prefix: 'library/',
        push: 'harbor',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/' }],
      },
    ],
  };
  writeFileSync(config, JSON.stringify(settings));
  return config;
}

t.test('on two empty registries, where the configuration names no canary', async (t) => {
  const registries = await site(t, {}, { uploads: 'artifact-registry', downloads: 'redirect' });
  const config = await configFor(t, registries);
  const first = await push(config);
  t.match(first, { status: 0, stderr: '' });
  t.match(first.stdout, /^harbor {2}library\/canary:latest {10}pushed$/m);
  t.match(first.stdout, /^gcr {5}example-project\/canary:latest {2}pushed$/m);
  t.match(first.stdout, /^upstreams:\n {2}harbor: \{ probe: \{ canary: "library\/canary:latest" \} \}$/m);
  t.match(first.stdout, /^ {2}gcr: \{ probe: \{ canary: "example-project\/canary:latest" \} \}$/m);
  const { writes } = registries.primary;
  const again = await pushJson(config);
  t.match(again, {
    status: 0,
    reports: [
      { upstream: 'harbor', image: 'library/canary:latest', result: 'present', configured: false },
      { upstream: 'gcr', image: 'example-project/canary:latest', result: 'present' },
    ],
  });
  t.equal(registries.primary.writes, writes, 'nothing is pushed twice');
  const one = await pushJson(config, 'gcr');
  t.strictSame(
    one.reports.map(({ upstream }) => upstream),
    ['gcr'],
  );
});

t.test('an edge before empty registries takes pushes once the canary is there', async (t) => {
  const registries = await site(t);
  const { primary, fallback } = registries;
  const edge = await startEdgeInProcess(t, {
    upstreams: { harbor: { urls: [primary.url], probe: PROBE }, gcr: { urls: [fallback.url], probe: PROBE } },
    routes: [{ prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
  });
  await edge.pushes('harbor', false);
  const client = edge.http1();
  const start = () => client.ask('/v2/library/app/blobs/uploads/', { method: 'POST' });
  t.equal((await start()).status, 403);
  t.equal((await push(await configFor(t, registries))).status, 0);
  await edge.pushes('harbor', true);
  t.equal((await start()).status, 202);
});

t.test('a configured name, a user for pushes, and a probe that may only pull', async (t) => {
  const registries = await site(t, { harbor: true, auth: { scheme: 'bearer', users: [USER] } });
  const probe = { kind: 'harbor', canary: 'team/alive:v1' };
  const refused = await pushJson(await configFor(t, registries, { credentials: 'forward', probe }), 'harbor');
  t.match(refused, {
    status: 1,
    reports: [{ result: 'failed', image: 'team/alive:v1', remedy: /replication\.credentials, or --user/ }],
  });
  const config = await configFor(t, registries, {
    credentials: 'forward',
    replication: { credentials: CREDENTIALS },
    probe,
  });
  const blind = await pushJson(config, 'harbor');
  t.match(blind, {
    status: 1,
    reports: [{ result: 'failed', message: /probe cannot read it/, remedy: /probe\.credentials/ }],
  });
  const seeing = { ...probe, credentials: CREDENTIALS };
  const well = await configFor(t, registries, { credentials: 'forward', probe: seeing });
  t.match(await pushJson(well, 'harbor'), { status: 0, reports: [{ result: 'present', configured: true }] });
  t.notMatch((await push(well, 'harbor')).stdout, /Add to the configuration/);
});

t.test('a user on the command line', async (t) => {
  const registries = await site(t, { auth: { scheme: 'basic', users: [USER] } });
  const config = await configFor(t, registries, { credentials: CREDENTIALS });
  const secret = join(config, '../replication.secret');
  t.equal((await push(config, 'harbor', '--user', USER.username, '--password-file', secret)).status, 0);
  const wrong = join(config, '../probe.secret');
  const denied = await push(config, 'harbor', '--user', USER.username, '--password-file', wrong);
  t.match(denied, { status: 1, stdout: /^harbor .* failed: .*\n-> harbor: name a user that may push/ });
  for (const args of [['--user', 'a'], ['--user', 'a', '--password-file', secret], ['habor']])
    t.equal((await push(config, ...args)).status, 2, args.join(' '));
});

t.test('what is there stays, and what was lost is pushed again', async (t) => {
  const registries = await site(t);
  const { primary, fallback } = registries;
  const own = primary.seed('library/canary', 'latest', { blobs: [10] });
  const config = await configFor(t, registries);
  t.match(await pushJson(config), { status: 0, reports: [{ result: 'present' }, { result: 'pushed' }] });
  t.equal(primary.store.repositories.get('library/canary')?.tags.get('latest'), own.digest, "the operator's image");
  const there = fallback.store.repositories.get('example-project/canary');
  there?.blobs.clear();
  t.match(await pushJson(config, 'gcr'), { status: 0, reports: [{ result: 'pushed' }] });
});

t.test('one registry that is down does not keep the other from its canary', async (t) => {
  const registries = await site(t);
  await registries.primary.faults.on('down');
  const { status, reports } = await pushJson(await configFor(t, registries));
  t.equal(status, 1);
  t.match(reports, [{ result: 'failed', remedy: /breakwater check/ }, { result: 'pushed' }]);
});

t.test('a digest that the registry does not have', async (t) => {
  const registries = await site(t);
  const canary = `library/canary@sha256:${'0'.repeat(64)}`;
  const { reports } = await pushJson(await configFor(t, registries, { probe: { canary } }), 'harbor');
  t.match(reports, [{ result: 'failed', message: /name a tag in probe\.canary/ }]);
});

for (const uploads of ['registry', 'artifact-registry'] as const) {
  t.test(`no canary on the bare mount point of a primary whose fallback, ${uploads}, has images`, async (t) => {
    const registries = await site(t, {}, { uploads });
    const { primary, fallback } = registries;
    if (uploads === 'artifact-registry') await fallback.faults.on('errors', { kind: 'catalog', status: 404 });
    primary.seed('library/app', '1', { blobs: [10] });
    fallback.seed('example-project/app', '1', { blobs: [10] });
    await primary.faults.on('storageGone');
    const config = await configFor(t, registries);
    const refused = await pushJson(config);
    t.match(refused, {
      status: 1,
      reports: [
        {
          upstream: 'harbor',
          result: 'failed',
          message: 'harbor lists no repositories, but gcr has example-project/app: its storage may be missing',
          remedy: /mount its storage.*--new/,
        },
        { upstream: 'gcr', result: 'pushed' },
      ],
    });
    t.match(await pushJson(config, 'harbor', '--new'), { status: 0, reports: [{ result: 'pushed' }] });
  });
}
