import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createApp } from '../../../src/app/app.ts';
import { changesSince } from '../../../src/cli/check/changes-since.ts';
import { check } from '../../../src/cli/check/check.ts';
import { parseConfig } from '../../../src/config/inspection.ts';
import { type Loaded, loadConfig } from '../../../src/config/load.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { tryCommand } from '../../helpers/command.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/0.1');
const BIN = join(import.meta.dirname, '../../../bin/breakwater');

/** A configuration of 0.1 beside the files that it names. @param here it listens on free ports, and its upstreams are on this machine */
async function written(owner: Test, name: string, here = false): Promise<string> {
  const folder = await writeMaterial(owner, ['cr.example.io', 'registry.example.io', 'mirror.example.io']);
  writeFileSync(join(folder, 'glass'), `hal@break-glass:$2b$10$${'a'.repeat(53)}\n`);
  writeFileSync(join(folder, 'admin.token'), 'short\n');
  const text = readFileSync(join(FIXTURES, name), 'utf8');
  const local = text
    .replaceAll(/(0\.0\.0\.0|127\.0\.0\.1):(443|80|8080|8443|9443)\b/g, '127.0.0.1:0')
    .replaceAll(/(https?):\/\/[^\s\],]+/g, (url, scheme) =>
      url.includes('edge-b') ? url : `${scheme}://127.0.0.1:9/${url.replace(/\W/g, '-')}`,
    )
    .replace('edge-b.lan', '127.0.0.1:9');
  const file = join(folder, 'breakwater.yaml');
  writeFileSync(file, here ? local : text);
  return file;
}

async function started({ config, ...loaded }: Loaded): Promise<boolean> {
  const listen = { ...config.listen, https: '127.0.0.1:0', admin: '127.0.0.1:0' };
  const app = await createApp({
    ...loaded,
    config: { ...config, listen, drain: { ...config.drain, announce: 0, timeout: 0 } },
  });
  await app.start();
  const { ready } = app.status();
  await app.stop();
  return ready;
}

t.test('what started before starts', async (t) => {
  const names = readdirSync(FIXTURES);
  t.ok(names.length >= 5);
  const all = names.map(async (name) => {
    await loadConfig(await written(t, name));
    t.ok(await started(await loadConfig(await written(t, name, true))), name);
  });
  await Promise.all(all);
});

/** The keys whose meaning has changed, with a part of what is said. */
const CHANGED: Record<string, [key: string, says: RegExp][]> = {
  'breakwater.yaml': [
    ['listen.admin', /another host name gets 421/],
    ['upstreams.harbor.urls', /only at harbor\.lan,.*went wherever the registry pointed/],
    ['upstreams.harbor.replication.credentials', /look for what was pushed/],
    ['upstreams.gcr.urls', /only at asia\.gcr\.io,.*its port did not matter/],
    ['routes[0].pull[0]', /a 404 of harbor to a client's own credentials is final/],
    ['routes[0].pull[1].replicate', /may be newer on gcr waits for you/],
  ],
  'small-site.yaml': [
    ['listen.admin', /421/],
    ['upstreams.primary', /without a canary,.*, and pushes are refused until then/],
    ['upstreams.primary.urls', /only at registry:5000/],
  ],
  // It has no `listen`.
  'mirror.yaml': [
    ['listen.admin', /421/],
    ['upstreams.local.urls', /only at mirror-1\.lan, mirror-2\.lan/],
    ['upstreams.hub', /not believed until something was read from it: its storage/],
    ['upstreams.hub.urls', /only at registry-1\.docker\.io/],
  ],
  'nginx.yaml': [
    ['listen.admin', /421/],
    ['upstreams.nas.urls', /only at 127\.0\.0\.1:8081/],
    ['upstreams.copy.urls', /only at 127\.0\.0\.1:8083/],
    ['routes[0].pull[0]', /a 404 of nas/],
  ],
  'every-key.yaml': [
    ['listen.admin', /421/],
    ['peers', /do not talk to each other/],
    ['auth.mode', /believed only if harbor accepts a login/],
    ['auth.realmHosts', /also count for the edge's own credentials at harbor/],
    ['upstreams.harbor.replication.credentials', /restored snapshot/],
    ['upstreams.gcr', /without a canary/],
    ['upstreams.gcr.urls', /only at asia/],
    ['routes[0].deletions', /no hook told of is followed by the second comparison/],
    ['routes[0].pull[1].replicate', /waits for you/],
    ['adminTokenFile', /\/metrics too.*less than 16 characters opens nothing/],
  ],
};

t.test('each line whose meaning has changed since 0.1 is named, with what to do', async (t) => {
  t.strictSame(Object.keys(CHANGED).sort(), readdirSync(FIXTURES).sort());
  const all = Object.entries(CHANGED).map(async ([name, changed]) => {
    const file = await written(t, name);
    const findings = await check(file, { offline: true, from: '0.1.0' });
    const found = findings.filter(({ subject }) => subject.startsWith(file) && subject !== file);
    const told = found.slice(0, changed.length);
    const lines = readFileSync(file, 'utf8').split('\n');
    t.strictSame(
      told.map(({ subject }) => subject.split(' ')[1]),
      changed.map(([key]) => key),
      name,
    );
    for (const [index, [key, says]] of changed.entries()) {
      const { subject = '', message, remedy } = told[index] ?? {};
      t.match(message, says, `${name}: ${key}`);
      t.ok(remedy, 'and what to do');
      if (subject.endsWith('(its default)')) continue;
      const line = lines[Number(subject.slice(file.length + 1).split(':')[0]) - 1];
      const names = key.split(/[.[\]\d]+/).filter((part) => part !== '');
      t.ok(
        [...names, 'upstream:'].some((part) => line?.includes(part)),
        `${key} is in its line: ${line}`,
      );
    }
    t.match(findings[changed.length], { subject: 'since 0.1.0', message: /`status` also ends with 1/ });
  });
  await Promise.all(all);
});

t.test('the command', async (t) => {
  const file = await written(t, 'small-site.yaml');
  const { output, status } = await tryCommand(BIN, ['check', '--offline', '--from', '0.1', '-c', file]);
  t.equal(status, 0, 'what changed is no error');
  t.match(
    output,
    /^warning {2}\S+:8:3 upstreams\.primary: without a canary,.*\n {9}-> run "breakwater canary push primary"/m,
  );
});

/** What to do, word for word: an operator types it. */
const REMEDIES = [
  'add the names by which you and Prometheus reach it to listen.adminHosts; addresses need no line',
  'upgrade all edges of a site soon after each other, and not during an outage',
  'set auth.canary, or probe.credentials of that upstream; none: auth.canary: none',
  'keep only hosts of its token service here',
  'let this account pull everything that clients push',
  'run "breakwater canary push gcr" and set probe.canary; for a registry that is meant to be empty, set probe.allowEmpty',
  'if gcr has it elsewhere, add upstreams.gcr.realmHosts: [HOST]; "breakwater check" without --offline names that host',
  'set replication.hookSecretFile and the webhook, if it must be gone at once',
  'watch breakwater_replication_waiting; `breakwater accept IMAGE` or `breakwater sync --newer` decides',
  'give Prometheus a token of its own by metricsTokenFile, and commands one by --token-file',
  'look at scripts, log filters and alerts that read them',
];

t.test('what to do', async (t) => {
  const { config } = await loadConfig(await written(t, 'every-key.yaml'));
  t.strictSame(
    changesSince('0.1', config)
      .map(({ remedy }) => remedy)
      .sort(),
    REMEDIES.toSorted(),
  );
});

t.test('an admin listener that others can reach, and one that was told its hosts', async (t) => {
  const listen = { admin: '0.0.0.0:9443', adminHosts: ['edge-a.lan'] };
  const base = {
    hostname: 'a',
    tls: { certFile: 'a', keyFile: 'a' },
    routes: [{ prefix: '', pull: [{ upstream: 'a' }] }],
  };
  const upstreams = { a: { urls: ['https://a.lan'], realmHosts: ['b.lan'], probe: { allowEmpty: true } } };
  const { config } = parseConfig({ ...base, upstreams, listen });
  const told = changesSince('0.1', config);
  t.match(told, [
    {
      path: ['listen', 'admin'],
      message: /without adminTokenFile it now answers them only/,
      remedy: 'add adminTokenFile, and give Prometheus a token by metricsTokenFile',
    },
    { path: [] },
  ]);
  const hidden = parseConfig({
    ...base,
    upstreams: { a: { ...upstreams.a, credentials: 'forward' } },
    listen,
    routes: [{ prefix: '', onAbsent: 'next', pull: [{ upstream: 'a' }] }],
  });
  t.match(changesSince('0.1', hidden.config)[1], {
    path: ['routes', 0, 'onAbsent'],
    message: /so onAbsent: next has no effect here/,
    remedy: 'push such images to a, or put them behind a route whose first upstream is another one',
  });
  t.throws(() => changesSince('0.2', config), { message: 'nothing is known of the release 0.2; known are 0.1' });
});
