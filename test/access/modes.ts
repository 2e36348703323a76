import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import { startArtifactRegistry } from '../helpers/artifact-registry.ts';
import type { AuthorityUsers } from '../helpers/authority-users.ts';
import { startGitlabTokenService } from '../helpers/gitlab-token-service.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { RegistryFront } from '../helpers/registry-front.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { makeTokenAuthority } from '../helpers/token-authority.ts';
import type { Mode, Outage, Primary } from './primary.ts';
import { keyFileOf, PASSWORDS, PROBE, userNamed, usersWith } from './users.ts';

const NAMED = { alice: userNamed('alice'), bob: userNamed('bob') };

/** Every way in which it may be said who may do what. */
export const MODES: readonly Mode[] = [
  { name: 'open, before Harbor', decides: 'nobody', start: (owner) => startHarbor(owner, { mode: 'open' }) },
  { name: 'htpasswd', decides: 'edge', start: startOwnUsers },
  { name: 'delegate to Harbor', decides: 'primary', start: (owner) => startHarbor(owner, { mode: 'delegate' }) },
  { name: 'delegate to a registry with Basic', decides: 'primary', everyUserMay: true, start: startBasic },
  { name: 'delegate to GitLab', decides: 'primary', start: startGitlab },
  { name: 'delegate to Artifact Registry', decides: 'primary', start: startArtifacts },
];

/** A registry and what stands before it, which fail together. */
function together(registry: Registry, front: RegistryFront): Pick<Primary, 'whole' | 'fail' | 'mend'> {
  let outage: Outage | undefined;
  return {
    whole: true,
    fail: async (now) => {
      outage = now;
      if (now === 'down') await registry.kill();
      if (now === 'hung') registry.freeze();
      await front.set(now);
    },
    mend: async () => {
      if (outage === 'down') await registry.start();
      if (outage === 'hung') registry.thaw();
      await front.set('well');
    },
  };
}

function removerOf({ users }: { users: AuthorityUsers }): Primary['remove'] {
  return async (name) => {
    delete users[name];
  };
}

async function probeOf(
  owner: Owner,
  username: string,
  password: string,
  realmHosts: string[] = [],
): Promise<{ credentials: object }> {
  const passwordFile = join(temporaryFolder(owner), 'probe');
  await writeFile(passwordFile, password);
  return { credentials: { username, passwordFile, realmHosts } };
}

async function startHarbor(owner: Owner, auth: Record<string, unknown>): Promise<Primary> {
  const authority = await makeTokenAuthority(owner, usersWith(PASSWORDS));
  const front = await new RegistryFront(owner, async (request, response) => {
    if (!request.url?.startsWith('/service/token')) return 'pass';
    await authority.answer(request, response);
    return 'answered';
  }).listen();
  const registry = await startRegistry(owner, { auth: authority.authAt(front.address) });
  front.before(registry.address);
  const probe = await probeOf(owner, PROBE, PASSWORDS[PROBE] ?? '');
  return {
    ...{ url: `http://${front.address}`, address: front.address, users: NAMED, pusher: NAMED.alice, auth },
    ...{ upstream: { credentials: 'forward', probe }, ...together(registry, front), remove: removerOf(authority) },
  };
}

/** Users in a file, by the least cost of bcrypt: a registry asks it at each request. */
async function writeUsers(path: string, removed?: string): Promise<void> {
  const users = Object.entries(PASSWORDS).filter(([name]) => name !== removed);
  await writeFile(path, users.map(([name, password]) => `${name}:${bcrypt.hashSync(password, 4)}\n`).join(''));
}

/** A real registry that knows its users from a file, which it reads again when it changes. */
async function startBasicRegistry(owner: Owner): Promise<{ registry: Registry; front: RegistryFront; path: string }> {
  const path = join(temporaryFolder(owner), 'htpasswd');
  await writeUsers(path);
  const registry = await startRegistry(owner, { auth: { htpasswd: { realm: 'registry', path } } });
  const front = await new RegistryFront(owner, async () => 'pass').listen();
  front.before(registry.address);
  return { registry, front, path };
}

async function startBasic(owner: Owner): Promise<Primary> {
  const { registry, front, path } = await startBasicRegistry(owner);
  const probe = await probeOf(owner, PROBE, PASSWORDS[PROBE] ?? '');
  return {
    ...{ url: `http://${front.address}`, address: front.address, users: NAMED, pusher: NAMED.alice },
    ...{ auth: { mode: 'delegate' }, upstream: { credentials: 'forward', probe }, ...together(registry, front) },
    remove: (name) => writeUsers(path, name),
  };
}

/** The edge has users of its own, and itself one at the registry. */
async function startOwnUsers(owner: Owner): Promise<Primary> {
  const { registry, front } = await startBasicRegistry(owner);
  const htpasswdFile = join(temporaryFolder(owner), 'users');
  await writeUsers(htpasswdFile);
  const access = { alice: ['library/** pull,push'], bob: ['library/open pull'] };
  return {
    ...{ url: `http://${front.address}`, address: front.address, users: NAMED, pusher: NAMED.alice },
    auth: { mode: 'htpasswd', htpasswdFile, access },
    ...{ upstream: await probeOf(owner, PROBE, PASSWORDS[PROBE] ?? ''), ...together(registry, front) },
    remove: (name) => writeUsers(htpasswdFile, name),
  };
}

/** Only the token service fails, which is on another host; the registry goes on. */
async function startGitlab(owner: Owner): Promise<Primary> {
  const service = await startGitlabTokenService(owner, usersWith(PASSWORDS));
  const { front } = service;
  const registry = await startRegistry(owner, { auth: service.registryAuth });
  const probe = await probeOf(owner, PROBE, PASSWORDS[PROBE] ?? '', ['localhost']);
  return {
    ...{ url: registry.url, address: registry.address, users: NAMED, pusher: NAMED.alice, whole: false },
    ...{ auth: { mode: 'delegate', realmHosts: ['localhost'] }, upstream: { credentials: 'forward', probe } },
    remove: removerOf(service),
    fail: (outage) => front.set(outage),
    mend: () => front.set('well'),
  };
}

async function startArtifacts(owner: Owner): Promise<Primary> {
  const keys = Object.fromEntries(Object.keys(PASSWORDS).map((name) => [name, keyFileOf(name)]));
  const service = await startArtifactRegistry(owner, usersWith(keys));
  const { front } = service;
  const registry = await startRegistry(owner);
  front.before(registry.address);
  const user = (name: string) => ({ name: '_json_key', password: keyFileOf(name) });
  const probe = await probeOf(owner, '_json_key', keyFileOf(PROBE));
  return {
    ...{ url: `http://${front.address}`, address: registry.address, pusher: undefined },
    ...{ users: { alice: user('alice'), bob: user('bob') }, remove: removerOf(service) },
    ...{ auth: { mode: 'delegate' }, upstream: { credentials: 'forward', probe }, ...together(registry, front) },
  };
}
