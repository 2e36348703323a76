import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { useHelper, useHelpers } from '../helpers/credential-helper.ts';
import { startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

const MANIFEST = '/v2/library/app/manifests/1';
const SECRET = 'the-secret-of-the-helper';

const LOCKED = { auth: { scheme: 'basic' as const, users: [{ username: 'robot', password: SECRET }] } };
const HELPER = { helper: 'lab', renewEvery: '1s' };

t.test('pulls, probes and copies use what the helper gives; without it they fail, and never go without', async (t) => {
  const give = useHelper(t, 'lab', 'robot');
  give('');
  const site = await startLabSite(t, {
    primary: LOCKED,
    fallback: LOCKED,
    harbor: { credentials: HELPER },
    gcr: { credentials: HELPER },
    config: { replication: { every: '1s' } },
    route: {
      pull: [
        { upstream: 'harbor', prefix: 'inner/' },
        { upstream: 'gcr', prefix: 'cloud-project/', replicate: true },
      ],
    },
  });
  const client = site.edge.http1();
  t.equal((await client.ask(MANIFEST)).status, 503);
  const shown = site.primary.requests.filter(({ url }) => url.includes('library/app'));
  t.strictSame(shown, [], 'no request goes out without credentials');
  const account = () => site.edge.app.status().upstreams[0]?.accounts[0];
  t.match(account(), {
    username: 'docker-credential-lab',
    renewal: { givenAt: null, problem: { reason: /docker-credential-lab printed no JSON/ } },
  });
  const { headline } = site.edge.app.status();
  t.match(
    JSON.stringify(headline),
    /cannot be renewed since .* by docker-credential-lab: .*There are none yet, so requests fail/,
  );
  give(SECRET);
  await site.edge.upstream('harbor', 'up');
  await until(async () => (await client.ask(MANIFEST)).status === 200, { every: 50, what: () => 'a pull' });
  t.match(account(), { renewal: { problem: null } });
  t.notMatch(account(), { state: 'refused' }, 'the upstream has refused nothing');
  site.primary.seed('inner/library/new', '1', { blobs: [10] });
  await until(() => site.fallback.requests.some(({ url }) => /cloud-project\/library\/new\/manifests/.test(url)), {
    every: 50,
    what: () => 'a copy with these credentials',
  });
  give('');
  await until(() => account()?.renewal?.problem !== null, { every: 50, what: () => 'the next problem' });
  t.equal((await client.ask(MANIFEST)).status, 200, 'the last credentials stay in use');
  t.match(JSON.stringify(site.edge.app.status().headline), /Those of .* stay in use/);
  t.match(site.edge.log, /"msg":"there are no credentials for an upstream, whose requests fail until there are"/);
  t.match(site.edge.log, /"msg":"credentials of an upstream cannot be renewed; the last ones stay in use"/);
  t.notMatch(site.edge.log, new RegExp(SECRET), 'the log has no secret');
  t.notMatch(JSON.stringify(site.edge.app.status()), new RegExp(SECRET), 'nor has the status');
});

t.test(
  'a token file is taken when it changes; the upstream keeps its connections, and a reload its source',
  async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, 'token');
    writeFileSync(file, SECRET);
    const users = [
      { username: 'robot', password: SECRET },
      { username: 'robot', password: 'second' },
    ];
    const site = await startLabSite(t, {
      primary: { auth: { scheme: 'basic', users } },
      harbor: { credentials: { tokenFile: file, username: 'robot' } },
    });
    const client = site.edge.http1();
    t.equal((await client.ask(MANIFEST)).status, 200);
    users.shift();
    writeFileSync(file, 'second\n');
    const isServed = async () => {
      const { status, headers } = await client.ask(MANIFEST.replace('app/manifests/1', 'app/tags/list'));
      return status === 200 && headers['x-breakwater-upstream'] === 'harbor';
    };
    await until(isServed, { every: 100, what: () => 'the second token to be used' });
    t.notMatch(site.edge.log, /reloaded/);
    await site.edge.reload({ ...site.config, verify: 'never' });
    t.ok(await isServed());
  },
);

t.test('helpers that hang hold up neither start, reload nor stop, and nothing goes out without them', async (t) => {
  useHelpers(t, { hung: 'sleep 300' });
  const hung = (server: string) => ({ credentials: { helper: 'hung', server } });
  const site = await startLabSite(t, { fallback: LOCKED });
  const upstreams = site.config.upstreams as Record<string, Record<string, unknown>>;
  const extra = (servers: string[]) => ({
    ...site.config,
    upstreams: {
      ...upstreams,
      gcr: { ...upstreams.gcr, ...hung('gcr') },
      ...Object.fromEntries(servers.map((name) => [name, { urls: ['http://127.0.0.1:9'], ...hung(name) }])),
    },
  });
  const timed = async (what: string, work: () => Promise<unknown>) => {
    const began = performance.now();
    await work();
    t.ok(performance.now() - began < timeLimit(5_000), what);
  };
  await timed('a reload', () => site.edge.reload(extra(['second', 'third'])));
  const client = site.edge.http1();
  // The upstream of the configuration before had none, and was probed until now.
  site.fallback.requests.length = 0;
  t.equal((await client.ask(MANIFEST)).status, 200, 'what is well serves');
  await timed('a reload that adds and removes some', () => site.edge.reload(extra(['third', 'fourth'])));
  let edge = site.edge;
  await timed('a start', async () => {
    edge = await startEdgeInProcess(t, extra(['second', 'third']));
  });
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  await timed('a pull', async () => t.equal((await client.ask(MANIFEST)).status, 503));
  t.strictSame(site.fallback.requests, [], 'no request goes out without credentials');
  await timed('a stop', () => edge.app.stop());
  await timed('a stop of the other edge', () => site.edge.app.stop());
});
