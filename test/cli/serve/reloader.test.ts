import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { documentedKeys, jsonSchema } from '../../../bin/configuration-docs.ts';
import { Reloader } from '../../../src/cli/serve/reloader.ts';
import { type Loaded, loadConfig } from '../../../src/config/load.ts';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

const INTERVAL_MS = timeLimit(20);

/** Every key that names a file, in the two modes that read other files. */
const COMMON = `
hostname: cr.example.io
tls: { certFile: tls.crt, keyFile: tls.key }
keyFile: edge.key
adminTokenFile: admin.token
metricsTokenFile: metrics.token
replication: { hookSecretFile: hook.secret }
upstreams:
  harbor:
    urls: [https://harbor.lan]
    caFile: harbor-ca.crt
    credentials: CREDENTIALS
    probe: { credentials: { username: p, passwordFile: probe.secret } }
    replication: { credentials: { username: r, passwordFile: replication.secret } }
  gcr: { urls: [https://gcr.lan] }
routes: [{ prefix: "", push: harbor, pull: [{ upstream: harbor }, { upstream: gcr }] }]
`;
const OWN = COMMON.replace('CREDENTIALS', '{ username: u, passwordFile: own.secret }');
const MODES: Record<string, string> = {
  htpasswd: `${OWN}auth: { mode: htpasswd, htpasswdFile: users }\n`,
  delegate: `${COMMON.replace('CREDENTIALS', 'forward')}
auth:
  mode: delegate
  breakGlassFile: emergency
  canary: { username: c, passwordFile: canary.secret }
  issuers: [{ issuer: i, jwks: "https://i.lan/keys", audience: a, caFile: issuer-ca.crt }]
`,
};
const SECRETS: Record<string, string> = {
  'admin.token': 'the token of the admin\n',
  'metrics.token': 'the token of the metrics\n',
  'own.secret': 'own password\n',
  'canary.secret': 'canary password\n',
  users: 'ann:$2y$04$abcdefghijklmnopqrstuuMJnEZP2zgRwXCKQyIn9eBU8vKzb5l6C\n',
  emergency: 'eve@break-glass:$2y$04$abcdefghijklmnopqrstuuMJnEZP2zgRwXCKQyIn9eBU8vKzb5l6C\n',
};

interface Watched {
  folder: string;
  file: string;
  /** What the app got, oldest first. */
  taken: Loaded[];
  /** Messages of the log. */
  log: string[];
  reloader: Reloader;
}

async function start(t: Test, config: string): Promise<Watched> {
  const folder = await writeMaterial(t);
  const { cert } = await makeCertificate({ names: ['x'] });
  for (const [name, content] of Object.entries({ ...SECRETS, 'issuer-ca.crt': cert }))
    writeFileSync(join(folder, name), content);
  const file = join(folder, 'breakwater.yaml');
  writeFileSync(file, config);
  const taken: Loaded[] = [];
  const log: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(line) });
  const reload = async (loaded: Loaded) => void taken.push(loaded);
  const reloader = new Reloader({ reload, audits: logger }, file, logger, INTERVAL_MS);
  const alive = setInterval(() => {}, 1_000);
  t.teardown(() => {
    reloader.close();
    clearInterval(alive);
  });
  return { folder, file, taken, log, reloader };
}

async function watching(t: Test, config = MODES.htpasswd ?? ''): Promise<Watched> {
  const watched = await start(t, config);
  await watched.reloader.start(await loadConfig(watched.file));
  return watched;
}

const count = (what: unknown[], wanted: number) =>
  until(() => what.length >= wanted, { every: 5, what: () => `${wanted} of ${what.length}` });

const CONTENT: Record<string, () => Promise<string>> = {
  'harbor-ca.crt': async () => (await makeCertificate({ names: ['other'] })).cert,
  'issuer-ca.crt': async () => (await makeCertificate({ names: ['other'] })).cert,
  users: async () => SECRETS.users?.replace('ann', 'bob') ?? '',
  emergency: async () => SECRETS.emergency?.replace('eve', 'bob') ?? '',
  'edge.key': async () => 'n'.repeat(48),
};

for (const [mode, config] of Object.entries(MODES))
  t.test(`every file is taken when it changes, without a signal: ${mode}`, async (t) => {
    const { folder, file, taken, log, reloader } = await start(t, config);
    const loaded = await loadConfig(file);
    await reloader.start(loaded);
    const named = [...config.matchAll(/(?:\w+File): ([\w.-]+)/g)].map(([, name = '']) => name);
    t.strictSame(
      [...(loaded.material.files ?? new Map()).keys()].sort(),
      named.map((name) => join(folder, name)).sort(),
    );
    for (const name of named.filter((name) => !/^tls\./.test(name))) {
      const before = taken.length;
      const content = await (CONTENT[name] ?? (async () => `the new content of ${name}\n`))();
      writeFileSync(join(folder, name), content);
      await count(taken, before + 1);
      t.not(
        taken.at(-1)?.material.files?.get(join(folder, name)),
        loaded.material.files?.get(join(folder, name)),
        name,
      );
    }
    t.notMatch(log.join(''), /the new content/, 'no secret is in the log');
  });

t.test('no key that names a file is missing above', async (t) => {
  const keys = documentedKeys(jsonSchema()).map(({ key }) => key.replace(/^.*[.\]]/, ''));
  const files = [...new Set(keys.filter((key) => /File$/.test(key)))];
  t.ok(files.length >= 8);
  // An upstream looks at its token file by itself. The edge writes `drain.leaveFile`.
  const watched = files.filter((key) => !['tokenFile', 'leaveFile'].includes(key));
  t.strictSame(
    watched.filter((key) => !Object.values(MODES).join('').includes(`${key}:`)),
    [],
  );
});

t.test('a renamed file and the swap of a link are taken', async (t) => {
  const { folder, file, taken, reloader } = await start(t, MODES.htpasswd ?? '');
  for (const name of ['v1', 'v2']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'own.secret'), `of ${name}\n`);
  }
  symlinkSync('v1', join(folder, '..data'));
  rmSync(join(folder, 'own.secret'));
  symlinkSync('..data/own.secret', join(folder, 'own.secret'));
  await reloader.start(await loadConfig(file));
  symlinkSync('v2', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  await count(taken, 1);
  t.equal(taken[0]?.material.upstreams.harbor?.password, 'of v2');
  writeFileSync(join(folder, 'new'), 'renamed\n');
  renameSync(join(folder, 'new'), join(folder, 'probe.secret'));
  await count(taken, 2);
  t.equal(taken[1]?.material.upstreams.harbor?.probePassword, 'renamed');
});

t.test('a file that cannot be used keeps the old content, with a message, and a good one is taken later', async (t) => {
  const { folder, taken, log } = await watching(t);
  writeFileSync(join(folder, 'tls.key'), '-----BEGIN PRIVATE KEY-----\nhalf');
  await count(log, 1);
  t.match(log[0], /"result":"refused"[\s\S]*tls\.keyFile[\s\S]*the old one stays in force/);
  t.strictSame(taken, []);
  writeFileSync(join(folder, 'own.secret'), '');
  await count(log, 2);
  t.match(log[1], /tls\.keyFile[\s\S]*harbor\.credentials\.passwordFile[\s\S]*empty/, 'both are named');
  const { cert, key } = await makeCertificate({ names: ['cr.example.io'] });
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key);
  writeFileSync(join(folder, 'own.secret'), 'good\n');
  await count(taken, 1);
  t.equal(taken[0]?.material.upstreams.harbor?.password, 'good');
});

t.test('a file that is gone keeps the old content, with a message', async (t) => {
  const { folder, taken, log } = await watching(t);
  rmSync(join(folder, 'own.secret'));
  await count(log, 1);
  t.match(log[0], /own\.secret[\s\S]*their last content stays in use/);
  await sleep(5 * INTERVAL_MS);
  t.equal(log.length, 1, 'once');
  t.strictSame(taken, []);
  writeFileSync(join(folder, 'own.secret'), 'back\n');
  await count(taken, 1);
  t.equal(taken[0]?.material.upstreams.harbor?.password, 'back');
});

t.test('a change between the load and the first look is not missed', async (t) => {
  const { folder, file, taken, reloader } = await start(t, MODES.htpasswd ?? '');
  const loaded = await loadConfig(file);
  writeFileSync(join(folder, 'own.secret'), 'changed while the edge started\n');
  await reloader.start(loaded);
  await count(taken, 1);
  t.equal(taken[0]?.material.upstreams.harbor?.password, 'changed while the edge started');
});

t.test('reloads come one after the other, and none follows a close', async (t) => {
  const { folder, taken, reloader } = await watching(t);
  await Promise.all([reloader.reload('SIGHUP'), reloader.reload('SIGHUP')]);
  t.equal(taken.length, 2);
  reloader.close();
  await reloader.reload('SIGHUP');
  writeFileSync(join(folder, 'own.secret'), 'too late\n');
  await sleep(5 * INTERVAL_MS);
  t.equal(taken.length, 3);
});
