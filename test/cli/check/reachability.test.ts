import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { check } from '../../../src/cli/check/check.ts';
import { remedyFor } from '../../../src/cli/check/reachability.ts';
import { parseConfig } from '../../../src/config/inspection.ts';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import { writeMaterial } from '../../config/write-material.ts';

const USERS = [{ username: 'ann', password: 'probe-password' }];
const ANN = { username: 'ann', passwordFile: 'probe.secret' };
const WRONG = { username: 'ann', passwordFile: 'hook.secret' };
const PUSHED = [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }];
const CANARY = { canary: 'library/canary:latest' };

async function lab(owner: Test, options: LabRegistryOptions = {}): Promise<LabRegistry> {
  const registry = await startLabRegistry(options);
  owner.teardown(() => registry.close());
  registry.seed('library/canary', 'latest', { blobs: [64] });
  return registry;
}

/** What `check` says about one upstream, `harbor`: level, message, and remedy. */
async function told(owner: Test, { url }: Pick<LabRegistry, 'url'>, upstream: object, top: object = {}) {
  const config = join(await writeMaterial(owner), 'breakwater.yaml');
  const tls = { certFile: 'tls.crt', keyFile: 'tls.key' };
  const upstreams = { harbor: { urls: [url], ...upstream } };
  const base = { hostname: 'cr.example.io', tls, keyFile: 'edge.key', upstreams, routes: PUSHED };
  writeFileSync(config, JSON.stringify({ ...base, ...top }));
  return (await check(config, {})).map(({ level, message, remedy }) =>
    `${level}: ${message}${remedy === undefined ? '' : ` -> ${remedy}`}`.replaceAll(/\d+ ms/g, 'N ms'),
  );
}

t.test('what is well, and what a probe cannot see', async (t) => {
  const registry = await lab(t);
  const well = await told(t, registry, { probe: CANARY });
  t.ok(well.includes('ok: the configuration is valid'));
  t.ok(
    well.some((text) => /^ok: reachable, .* \(N ms\)$/.test(text)),
    well.join('\n'),
  );
  const advice =
    'run "breakwater canary push harbor", and set probe.canary as it says; add probe.credentials if the image is private';
  const shallow = `warning: reachable (N ms), but without a canary the probe does not notice when its storage hangs or is lost -> ${advice}`;
  t.ok((await told(t, registry, {})).includes(shallow));
  const empty = await startLabRegistry();
  t.teardown(() => empty.close());
  const unproven = (await told(t, empty, {})).find((text) => text.startsWith('error: reachable (N ms), but '));
  t.match(
    unproven,
    ', so its storage may be missing: pushes there are refused, and its 404s are not believed -> check its storage;',
  );
  t.match(unproven, `if it is new and empty, ${advice}; or set probe.allowEmpty to true`);
  const lost = await told(t, registry, { probe: { canary: 'library/none:latest' } });
  t.match(
    lost.join('\n'),
    'run "breakwater canary push", or correct the name in probe.canary (it must include the prefix',
  );
});

t.test('credentials of the edge', async (t) => {
  const registry = await lab(t, { auth: { scheme: 'basic', users: USERS } });
  const probe = { ...CANARY, credentials: ANN };
  t.ok((await told(t, registry, { credentials: ANN, probe })).includes('ok: the credentials are accepted'));
  const refused =
    'error: the credentials are refused: /v2/ answers 401 -> check username and passwordFile in the credentials of this upstream';
  t.ok((await told(t, registry, { credentials: WRONG, probe })).includes(refused));
  const none =
    'warning: it requires a login, but its credentials are none, so every pull and push there will fail -> set its credentials to { username, passwordFile }, or to forward';
  t.ok((await told(t, registry, { credentials: 'none', probe })).includes(none));
  const bearer = await lab(t, { auth: { scheme: 'bearer', users: USERS } });
  const failed = (await told(t, bearer, { credentials: WRONG, probe })).find((text) =>
    text.startsWith('error: the credentials do not work: '),
  );
  t.match(failed, '-> set probe.credentials to an account that may read the canary, and check its password or helper');
});

t.test('a Harbor in maintenance, sick or silent', async (t) => {
  const harbor = await lab(t, { harbor: true, auth: { scheme: 'basic', users: USERS } });
  const settings = { credentials: ANN, probe: { ...CANARY, kind: 'harbor' } };
  await harbor.faults.on('readOnly');
  await harbor.faults.on('unhealthy', { component: 'jobservice' });
  const sick = await told(t, harbor, settings);
  const ends = 'end read-only mode in Harbor (Administration, Configuration) when the maintenance is over';
  t.ok(sick.includes(`warning: it is read-only, so pushes are refused -> ${ends}`), sick.join('\n'));
  const components = 'check these components in Harbor; pulls may still work';
  t.ok(sick.includes(`warning: Harbor reports as unhealthy: jobservice -> ${components}`), sick.join('\n'));
  await harbor.faults.off();
  const open = await lab(t, { harbor: true, auth: { scheme: 'bearer', users: USERS, anonymous: ['library/'] } });
  const silent = await told(t, open, { credentials: 'forward', probe: { ...CANARY, kind: 'harbor' } });
  const mode = 'it does not tell whether it is read-only, so the status cannot say that it refuses pushes';
  const remedy = 'set upstreams.harbor.probe.credentials: Harbor tells its users only';
  t.ok(silent.includes(`warning: ${mode} -> ${remedy}`), silent.join('\n'));
});

t.test('a copy route that lists nothing, or may not', async (t) => {
  const [harbor, gcr] = [await lab(t), await lab(t, { auth: { scheme: 'basic', users: USERS } })];
  const routes = (prefix: string) => [
    { prefix, push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', replicate: true }] },
  ];
  const copies = (prefix: string, over: object = {}) => {
    const upstreams = { harbor: { urls: [harbor.url] }, gcr: { urls: [gcr.url], credentials: ANN, ...over } };
    return told(t, harbor, {}, { upstreams, routes: routes(prefix) });
  };
  const nothing =
    'warning: harbor lists no repository of this route, so nothing is copied -> check the prefix, and that the account may list the repositories';
  t.ok((await copies('stray/')).includes(nothing));
  const refused = (await copies('library/', { credentials: WRONG })).join('\n');
  t.match(refused, '-> give the account the right to pull and push at gcr (upstreams.gcr.replication.credentials)');
  const upstreams = { harbor: { urls: [gcr.url], credentials: WRONG }, gcr: { urls: [harbor.url] } };
  const unlisted = (await told(t, gcr, {}, { upstreams, routes: routes('library/') })).join('\n');
  t.match(unlisted, '-> let the account list the repositories of harbor (upstreams.harbor.replication.credentials)');
});

t.test('a key that is missing, with the command that makes one', async (t) => {
  const found = await told(t, await lab(t), {}, { keyFile: undefined });
  const message =
    'without keyFile a new key is made at each start: uploads end at a restart, and a pair cannot share them';
  const remedy = 'make one, and name it as keyFile: head -c 48 /dev/urandom | base64 > edge.key';
  t.ok(found.includes(`warning: ${message} -> ${remedy}`), found.join('\n'));
});

t.test('what to do about a failure', async (t) => {
  const input = {
    hostname: 'a',
    tls: { certFile: 'a', keyFile: 'a' },
    routes: PUSHED,
    upstreams: { harbor: { urls: ['https://harbor.lan'] } },
  };
  const { harbor } = parseConfig(input).config.upstreams;
  if (!harbor) throw new Error('no upstream');
  const rows: [reason: string, remedy: string][] = [
    ['dns', 'check the host name in urls, and DNS on this machine'],
    [
      'tls',
      'set caFile to the CA that signed its certificate, and check that the certificate has the host name of urls',
    ],
    ['connect', 'check host and port in urls, that the registry runs, and firewalls on the way'],
    [
      'canary manifest answers 404',
      'run "breakwater canary push", or correct the name in probe.canary (it must include the prefix on this upstream)',
    ],
    ['redirect-host', 'add the storage host to redirects.hosts, or set redirects.mode: pass'],
    ['first-byte', 'it accepts connections but does not answer within probe.timeout: check its storage'],
    ['/v2/ answers 200', 'check that a registry answers at this URL; a base path belongs in urls'],
    ['something new', 'look at what answers at https://harbor.lan'],
  ];
  for (const [reason, remedy] of rows) t.equal(remedyFor(reason, harbor), remedy, reason);
});
