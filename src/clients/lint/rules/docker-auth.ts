import { type Entry, entriesAt, entryAt, textAt } from '../document.ts';
import { hostOf, isEdge, pathOf, quoted } from '../registry-name.ts';
import type { Hit, ParsedFile, Rule } from '../rule.ts';
import { containersImage, dockerCli, kubernetes } from './sources.ts';

const FILE = 'cli/config/configfile/file.go';
const LOGIN = 'Run docker login again, or write base64 of USER:PASSWORD without a line end.';

/** Users without a password are in no entry: an entry of a helper is empty. */
function auths(file: ParsedFile): [string, Entry][] {
  return entriesAt(file.documents[0], 'auths');
}

function hasHelper(file: ParsedFile): boolean {
  return (textAt(file.documents[0], 'credsStore') ?? '') !== '';
}

function entryHit([registry, { line }]: [string, Entry]): Hit {
  return { line, subject: `registry ${quoted(registry)}` };
}

/** Decodes only to look at the form. The value goes nowhere. */
function authForm(text: string): 'good' | 'no-base64' | 'no-colon' {
  const plain = text.replace(/=+$/, '');
  if (!/^[A-Za-z0-9+/]*$/.test(plain) || text.length % 4 !== 0) return 'no-base64';
  const decoded = Buffer.from(text, 'base64').toString('latin1');
  return decoded.indexOf(':') > 0 ? 'good' : 'no-colon';
}

function withForm(file: ParsedFile, form: ReturnType<typeof authForm>): Hit[] {
  return auths(file).flatMap(([registry, entry]) => {
    const auth = textAt(entry.value, 'auth');
    if (auth === undefined || auth === '' || authForm(auth) !== form) return [];
    return [{ line: entryAt(entry.value, 'auth')?.line ?? entry.line, subject: `registry ${quoted(registry)}` }];
  });
}

/** config.json of docker, auth.json of podman and its relatives, and the same JSON in variables and secrets. */
export const DOCKER_AUTH_RULES: Rule[] = [
  {
    name: 'auth-not-base64',
    effect: 'credentials',
    program: 'docker',
    alsoIn: ['podman', 'skopeo', 'CRI-O', 'GitLab Runner', 'kubelet'],
    kinds: ['docker-auth', 'containers-auth'],
    key: 'auths.*.auth',
    happens:
      'auth is no base64. docker warns and stops reading there, so that credentials of other registries may be missing too.',
    remedy: LOGIN,
    source: dockerCli(`${FILE}, decodeAuth`, 'skopeo 1.9.3 says: illegal base64 data'),
    find: (file) => withForm(file, 'no-base64'),
  },
  {
    name: 'auth-no-colon',
    effect: 'credentials',
    program: 'docker',
    alsoIn: ['podman', 'skopeo', 'CRI-O', 'GitLab Runner', 'kubelet'],
    kinds: ['docker-auth', 'containers-auth'],
    key: 'auths.*.auth',
    happens:
      'auth has no user and password with a colon between them. docker warns and stops reading there. podman ignores the entry. Both pull without a user.',
    remedy: LOGIN,
    source: dockerCli(`${FILE}, decodeAuth`, 'skopeo 1.9.3 goes on without an error'),
    find: (file) => withForm(file, 'no-colon'),
  },
  {
    name: 'auth-plain-fields',
    effect: 'credentials',
    program: 'podman',
    alsoIn: ['skopeo', 'buildah', 'CRI-O'],
    kinds: ['containers-auth'],
    key: 'auths.*.username',
    happens: 'podman reads only auth, and ignores username and password. It pulls without a user.',
    remedy: 'Run podman login, which writes auth.',
    source: containersImage('docs/containers-auth.json.5.md', 'skopeo 1.9.3 goes on without an error'),
    find: (file) =>
      auths(file)
        .filter(([, { value }]) => entryAt(value, 'username') && !textAt(value, 'auth'))
        .map(entryHit),
  },
  {
    name: 'docker-auth-path',
    effect: 'credentials',
    program: 'docker',
    kinds: ['docker-auth'],
    key: 'auths',
    happens:
      'docker knows no namespaces here: it takes any entry of this host for all of its images, and a random one of several.',
    remedy: 'Write one entry for the host, without a path. podman can use namespaces, in auth.json.',
    source: dockerCli('cli/config/credentials/file_store.go, Get and ConvertToHostname'),
    find: (file) =>
      file.inside !== undefined
        ? []
        : auths(file)
            .filter(([registry]) => !/^https?:/i.test(registry) && pathOf(registry) !== '')
            .map(entryHit),
  },
  {
    name: 'docker-auth-hidden',
    effect: 'credentials',
    program: 'docker',
    kinds: ['docker-auth'],
    key: 'credsStore',
    happens: 'With credsStore, docker asks the helper only, and ignores the credentials in this file.',
    remedy: 'Run docker login again, so that the helper has the credentials, or remove credsStore.',
    source: dockerCli('cli/config/credentials/native_store.go, Get'),
    find: (file) =>
      file.inside !== undefined || !hasHelper(file)
        ? []
        : auths(file)
            .filter(([, { value }]) => (textAt(value, 'auth') ?? '') !== '')
            .map(entryHit),
  },
  {
    name: 'docker-helper-key',
    effect: 'credentials',
    program: 'docker',
    alsoIn: ['podman', 'GitLab Runner'],
    kinds: ['docker-auth'],
    key: 'credHelpers',
    happens: 'docker looks for the name of the registry alone, and never asks this helper.',
    remedy: 'Write the name as it is in images: without https:// and without a path.',
    source: dockerCli(`${FILE}, getConfiguredCredentialStore`),
    find: (file) =>
      entriesAt(file.documents[0], 'credHelpers')
        .filter(
          ([registry]) => (/:\/\//.test(registry) || pathOf(registry) !== '') && !/index\.docker\.io/.test(registry),
        )
        .map(entryHit),
  },
  {
    name: 'auth-upstream-only',
    effect: 'credentials',
    program: 'docker',
    alsoIn: ['podman', 'skopeo', 'CRI-O', 'GitLab Runner', 'kubelet'],
    kinds: ['docker-auth', 'containers-auth'],
    key: 'auths',
    happens:
      'There are credentials for a registry behind the edge, and none for the edge. Pulls through the edge have no user.',
    remedy: 'Log in at the edge too, or rename the entry to the name of the edge.',
    source: dockerCli('cli/config/credentials/file_store.go, Get'),
    find: (file, context) => {
      const helpers = entriesAt(file.documents[0], 'credHelpers').map(([name]) => name);
      const names = [...auths(file).map(([name]) => name), ...helpers];
      if (context.edges.length === 0 || hasHelper(file)) return [];
      if (names.some((name) => isEdge(hostOf(name), context))) return [];
      return auths(file)
        .filter(([name]) => context.upstreamHosts.includes(hostOf(name)))
        .map(entryHit);
    },
  },
  {
    name: 'kubelet-credential-helper',
    effect: 'credentials',
    program: 'kubernetes',
    kinds: ['docker-auth'],
    key: 'credsStore, credHelpers',
    happens: 'The kubelet reads only auths, and runs no credential helper of docker. It pulls without a user.',
    remedy: 'Make the secret with kubectl create secret docker-registry, or use a credential provider of the kubelet.',
    source: kubernetes('pkg/credentialprovider/config.go, DockerConfigJSON'),
    find: (file) => {
      const isOfKubelet = file.inside === 'secret' || /\/kubelet\/config\.json$/.test(file.path);
      if (!isOfKubelet) return [];
      return ['credsStore', 'credHelpers'].flatMap((key) => {
        const entry = entryAt(file.documents[0], key);
        return entry ? [{ line: entry.line, subject: `key ${quoted(key)}` }] : [];
      });
    },
  },
];
