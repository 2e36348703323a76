import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { CheckFinding } from '../../../src/cli/check/reachability.ts';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { commandLine } from '../../helpers/command-line.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');

/** What `check` finds, and its exit status. */
async function check(owner: Owner, settings: object, ...args: string[]) {
  const config = join(await writeMaterial(owner), 'breakwater.yaml');
  const tls = { certFile: 'tls.crt', keyFile: 'tls.key' };
  writeFileSync(config, JSON.stringify({ hostname: 'cr.example.io', tls, ...settings }));
  const [file, rest] = commandLine(launcher, ['check', '--json', '--config', config, ...args]);
  return new Promise<{ status: number; findings: CheckFinding[] }>((resolve) => {
    execFile(file, rest, (error, stdout) =>
      resolve({ status: Number(error?.code ?? 0), findings: JSON.parse(stdout || '[]') }),
    );
  });
}

const routes = [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }];
const harbor = (url: string) => ({ harbor: { urls: [url], credentials: 'forward' } });
const delegate = { auth: { mode: 'delegate' } };

t.test('a key that is missing is told once, with what it means in that mode', async (t) => {
  const upstreams = harbor('http://127.0.0.1:1');
  for (const [settings, expected] of [
    [{}, /at each start/],
    [delegate, /logs every user out/],
    [{ keyFile: 'edge.key', ...delegate }, undefined],
  ] as const) {
    const { status, findings } = await check(t, { routes, upstreams, ...settings }, '--offline');
    const told = findings.filter(({ subject }) => subject === 'keyFile');
    t.equal(told.length, expected ? 1 : 0);
    if (expected) t.match(told, [{ level: 'warning', message: expected }]);
    t.equal(status, 0);
  }
});

t.test('an upstream that requires a login, with credentials none', async (t) => {
  const users = [{ username: 'ann', password: 'x' }];
  for (const [auth, count] of [
    [{ scheme: 'basic', users }, 1],
    [{ scheme: 'bearer', users }, 0],
    [undefined, 0],
  ] as const) {
    const registry = await startLabRegistry(auth ? { auth: { ...auth, users: [...auth.users] } } : {});
    t.teardown(() => registry.close());
    const upstreams = { harbor: { urls: [registry.url], credentials: 'none' } };
    const { findings } = await check(t, { routes, upstreams, keyFile: 'edge.key' });
    const told = findings.filter(({ message }) => message.startsWith('it requires a login'));
    t.equal(told.length, count, auth?.scheme ?? 'open');
    t.notOk(
      findings.some(({ message }) => message === 'the credentials are accepted'),
      'there are none',
    );
  }
});

t.test('delegate: the authority is asked how its users log in; nobody else is', async (t) => {
  const users = [{ username: 'ann', password: 'x' }];
  const bearer = await startLabRegistry({ auth: { scheme: 'bearer', users } });
  const elsewhere = await startLabRegistry({
    auth: { scheme: 'bearer', users, realm: `http://localhost:${bearer.port}/token` },
  });
  t.teardown(() => Promise.all([bearer.close(), elsewhere.close()]));
  const logins = async (url: string, settings: object) => {
    const { status, findings } = await check(t, { routes, upstreams: harbor(url), keyFile: 'edge.key', ...settings });
    return { status, found: findings.filter(({ message }) => message.startsWith('its users')) };
  };
  t.match(await logins(bearer.url, delegate), { status: 0, found: [{ level: 'ok' }] });
  t.match(await logins(elsewhere.url, delegate), {
    status: 1,
    found: [
      { level: 'error', message: /localhost:\d+, which auth.realmHosts does not name/, remedy: /auth\.realmHosts/ },
    ],
  });
  const named = { auth: { mode: 'delegate', realmHosts: ['localhost'] } };
  t.match(await logins(elsewhere.url, named), { status: 0, found: [{ level: 'ok' }] });
  t.same((await logins(elsewhere.url, {})).found, [], 'open asks nobody who they are');
});

t.test('a token service on another host is named, whatever the credentials, with the line to add', async (t) => {
  const users = [{ username: 'ann', password: 'x' }];
  const service = await startLabRegistry({ auth: { scheme: 'bearer', users } });
  const host = `localhost:${service.port}`;
  const registry = await startLabRegistry({ auth: { scheme: 'bearer', users, realm: `http://${host}/token` } });
  t.teardown(() => Promise.all([service.close(), registry.close()]));
  const found = async (more: object, top: object = {}) => {
    const upstreams = { harbor: { urls: [registry.url], ...more } };
    const { status, findings } = await check(t, { routes, upstreams, keyFile: 'edge.key', ...top });
    return { status, told: findings.filter(({ subject }) => subject === 'upstreams.harbor.realmHosts') };
  };
  const own = { username: 'ann', passwordFile: 'probe.secret' };
  const refused = await Promise.all(['none', 'forward', own].map((credentials) => found({ credentials })));
  const remedy = new RegExp(`upstreams.harbor.realmHosts: \\["${host}"\\]`);
  for (const one of refused) t.match(one, { status: 1, told: [{ level: 'error', message: new RegExp(host), remedy }] });
  t.equal(service.requests.length, 0, 'nothing was sent there');
  const allowed = await Promise.all([
    found({ credentials: 'forward', realmHosts: [host] }),
    found({ credentials: own, realmHosts: ['localhost'] }),
    found({ credentials: 'forward' }, { hostname: 'localhost' }),
  ]);
  for (const { told } of allowed) t.same(told, []);
  t.ok(service.requests.length > 0);
});

t.test('each way of copying, with the credentials that copies have', async (t) => {
  const users = [{ username: 'u', password: 'replication-password' }];
  const [primary, fallback] = await Promise.all([
    startLabRegistry({ auth: { scheme: 'bearer', users } }),
    startLabRegistry(),
  ]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const copied = [
    {
      prefix: 'library/',
      push: 'harbor',
      pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'there/', replicate: true }],
    },
  ];
  const look = async (credentials: unknown) => {
    const upstreams = {
      harbor: { urls: [primary.url], credentials: 'forward', replication: { credentials } },
      gcr: { urls: [fallback.url] },
    };
    const { findings, status } = await check(t, { routes: copied, upstreams, keyFile: 'edge.key', ...delegate });
    return { status, found: findings.filter(({ subject }) => subject.startsWith('replication ')) };
  };
  const known = { username: 'u', passwordFile: 'replication.secret' };
  primary.seed('elsewhere/app', '1', { blobs: [1] });
  primary.seed('library/app', '1', { blobs: [1] });
  t.match((await look(known)).found, [
    {
      level: 'ok',
      subject: 'replication library/ on harbor -> gcr',
      message: /library\/app, for there\/app on gcr, which has none of its tags yet/,
    },
  ]);
  t.match(await look({ username: 'u', passwordFile: 'probe.secret' }), {
    status: 1,
    found: [{ level: 'error', message: /harbor/, remedy: /harbor/ }],
  });
  t.equal(fallback.writes + primary.writes, 0, 'nothing is written');
});
