import { entriesAt, entryAt, textsAt } from '../document.ts';
import { hostOf, isEdge, isLoopback, mayBeEdge, pathOf, quoted } from '../registry-name.ts';
import type { ParsedFile, Rule } from '../rule.ts';
import { moby24, moby28 } from './sources.ts';

const TRIED = 'Docker Engine 20.10.24';
const REGISTRY = 'registry/config.go';
const COMMON: Pick<Rule, 'program' | 'kinds'> = { program: 'docker', kinds: ['docker-daemon'] };

const MIRRORS = 'registry-mirrors';
const INSECURE = 'insecure-registries';

/** What people write in place of the two keys. dockerd refuses all of them. */
const MISSPELT = new Set([
  'mirrors',
  'mirror',
  'registry_mirrors',
  'registryMirrors',
  'registries',
  'insecure_registries',
  'insecureRegistries',
  'disable-legacy-registry',
]);

function mirrors(file: ParsedFile): { text: string; line: number }[] {
  return textsAt(file.documents[0], MIRRORS);
}

function hit({ text, line }: { text: string; line: number }): { line: number; subject: string } {
  return { line, subject: `mirror ${quoted(text)}` };
}

/** daemon.json of dockerd. */
export const DOCKER_DAEMON_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'docker-mirror-scheme',
    effect: 'broken',
    key: MIRRORS,
    happens: 'dockerd does not start: a mirror must begin with https:// or http://.',
    remedy: 'Write https:// before the name.',
    source: moby28(`${REGISTRY}, ValidateMirror`, `${TRIED} says: invalid mirror: unsupported scheme`),
    find: (file) =>
      mirrors(file)
        .filter(({ text }) => !/^https?:\/\//i.test(text))
        .map(hit),
  },
  {
    ...COMMON,
    name: 'docker-mirror-path',
    effect: 'broken',
    versions: { before: '24.0.8' },
    key: MIRRORS,
    happens: 'dockerd does not start: before 24.0.8, a mirror must not have a path.',
    remedy: 'Remove the path. At the edge, a further hostname with a route of its own takes its place.',
    source: moby24(
      `${REGISTRY}, ValidateMirror; 24.0.7 refuses a path`,
      `${TRIED} says: invalid mirror: path, query, or fragment at end`,
    ),
    find: (file) =>
      mirrors(file)
        .filter(({ text }) => /^https?:\/\//i.test(text) && pathOf(text) !== '')
        .map(hit),
  },
  {
    ...COMMON,
    name: 'docker-mirror-credentials',
    effect: 'broken',
    key: MIRRORS,
    happens: 'dockerd does not start: a mirror must not have a user or a password.',
    remedy: 'Remove them. dockerd sends a mirror the login of Docker Hub, if there is one.',
    source: moby28(`${REGISTRY}, ValidateMirror`, `${TRIED} says: username/password not allowed in URI`),
    find: (file) =>
      mirrors(file)
        .filter(({ text }) => /^https?:\/\/[^/]*@/i.test(text))
        .map(hit),
  },
  {
    ...COMMON,
    name: 'docker-mirror-http',
    effect: 'clear-text',
    key: MIRRORS,
    happens:
      'dockerd speaks plain HTTP with this mirror: images can be changed on the way, and the login of Docker Hub is read.',
    remedy: 'Write https://, and put a private CA into /etc/docker/certs.d/EDGE/ca.crt.',
    source: moby28('registry/service_v2.go and distribution/registry.go, newRepository'),
    find: (file) =>
      mirrors(file)
        .filter(({ text }) => /^http:\/\//i.test(text) && !isLoopback(hostOf(text)))
        .map(hit),
  },
  {
    ...COMMON,
    name: 'docker-mirrors-no-list',
    effect: 'broken',
    key: `${MIRRORS}, ${INSECURE}`,
    happens: 'dockerd does not start: the value must be a list.',
    remedy: `Write "${MIRRORS}": ["https://EDGE"].`,
    source: moby28('daemon/config/config.go', `${TRIED} says: cannot unmarshal string into … of type []string`),
    find: (file) =>
      [MIRRORS, INSECURE].flatMap((key) => {
        const entry = entryAt(file.documents[0], key);
        return entry && entry.value.kind !== 'list' ? [{ line: entry.line, subject: `key ${quoted(key)}` }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'docker-singular-key',
    effect: 'bypass',
    key: 'registry-mirror, insecure-registry',
    happens:
      'dockerd accepts this key, because a flag of its command line has this name, and ignores it. Pulls bypass the edge.',
    remedy: `Write "${MIRRORS}" or "${INSECURE}".`,
    source: moby28('daemon/config/config.go, findConfigurationConflicts', `${TRIED} starts, and says nothing of it`),
    find: (file) =>
      ['registry-mirror', 'insecure-registry'].flatMap((key) => {
        const entry = entryAt(file.documents[0], key);
        return entry ? [{ line: entry.line, subject: `key ${quoted(key)}` }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'docker-unknown-key',
    effect: 'broken',
    key: 'any',
    happens: 'dockerd does not start: it does not know this key.',
    remedy: `Write "${MIRRORS}" or "${INSECURE}", or remove the key.`,
    source: moby28(
      'daemon/config/config.go, findConfigurationConflicts',
      `${TRIED} says: the following directives don't match any configuration option`,
    ),
    find: (file) =>
      entriesAt(file.documents[0])
        .filter(([key]) => MISSPELT.has(key))
        .map(([key, { line }]) => ({ line, subject: `key ${quoted(key)}` })),
  },
  {
    ...COMMON,
    name: 'docker-insecure-edge',
    effect: 'ca',
    key: INSECURE,
    happens:
      'dockerd accepts any certificate of this registry, and falls back to plain HTTP. Another machine can serve images in its name, and read the credentials.',
    remedy: 'Remove the entry, and put the CA of the edge into /etc/docker/certs.d/EDGE/ca.crt.',
    source: moby28(`${REGISTRY}, isSecureIndex, and registry/service_v2.go`),
    find: (file, context) =>
      textsAt(file.documents[0], INSECURE)
        .filter(({ text }) => isEdge(hostOf(text), context))
        .map(({ text, line }) => ({ line, subject: `registry ${quoted(text)}` })),
  },
  {
    ...COMMON,
    name: 'docker-insecure-everywhere',
    effect: 'ca',
    key: INSECURE,
    happens: 'dockerd accepts any certificate of every registry, and falls back to plain HTTP.',
    remedy: 'Remove the entry, and put the CA of each registry into /etc/docker/certs.d.',
    source: moby28(`${REGISTRY}, isCIDRMatch`),
    find: (file) =>
      textsAt(file.documents[0], INSECURE)
        .filter(({ text }) => /\/0$/.test(text))
        .map(({ text, line }) => ({ line, subject: `network ${quoted(text)}` })),
  },
  {
    ...COMMON,
    name: 'docker-edge-not-first',
    effect: 'bypass',
    key: MIRRORS,
    happens:
      'dockerd asks mirrors in the order of the list. It asks this one before the edge, and waits 30 s if it does not answer.',
    remedy: 'Write the edge first.',
    source: moby28('registry/service_v2.go, lookupV2Endpoints, and distribution/registry.go, newRepository'),
    find: (file, context) => {
      const place = mirrors(file).findIndex(({ text }) => isEdge(hostOf(text), context));
      return mirrors(file).slice(0, Math.max(0, place)).map(hit);
    },
  },
  {
    ...COMMON,
    name: 'docker-no-edge',
    effect: 'bypass',
    key: MIRRORS,
    happens: 'Pulls from Docker Hub do not go through the edge, because none of the mirrors is the edge.',
    remedy: `Write the edge first: "${MIRRORS}": ["https://EDGE"].`,
    source: moby28('registry/service_v2.go, lookupV2Endpoints'),
    find: (file, context) => {
      const all = mirrors(file);
      const first = all[0];
      if (context.edges.length === 0 || !first || all.some(({ text }) => mayBeEdge(hostOf(text), context))) return [];
      return [{ line: first.line }];
    },
  },
];
