import { entriesAt, entryAt, isTrue, itemsAt, type Located, mapAt, textAt, textsAt } from '../document.ts';
import { hostOf, isBehindEdge, isEdge, isLoopback, isPublic, mayBeEdge, quoted } from '../registry-name.ts';
import type { Hit, ParsedFile, Rule } from '../rule.ts';
import { containersImage } from './sources.ts';

const CODE = 'pkg/sysregistriesv2/system_registries_v2.go';
const MANUAL = 'docs/containers-registries.conf.5.md';
const COMMON: Pick<Rule, 'program' | 'alsoIn' | 'kinds'> = {
  program: 'podman',
  alsoIn: ['skopeo', 'buildah', 'CRI-O'],
  kinds: ['registries-conf'],
};

export interface RegistryTable {
  table: Located;
  line: number;
  /** What images it is for: prefix, else location. */
  name: string;
  mirrors: Located[];
}

export function registries(file: ParsedFile): RegistryTable[] {
  return itemsAt(file.documents[0], 'registry').map((table) => ({
    table,
    line: table.line,
    name: textAt(table, 'prefix') ?? textAt(table, 'location') ?? '',
    mirrors: itemsAt(table, 'mirror'),
  }));
}

function registryHit({ line, name }: RegistryTable): Hit {
  return { line, subject: `registry ${quoted(name)}` };
}

function mirrorHit(mirror: Located): Hit {
  return { line: mirror.line, subject: `mirror ${quoted(textAt(mirror, 'location') ?? '')}` };
}

/** Registries that the edge stands in front of, and that have mirrors. */
function mirrored(file: ParsedFile, context: Parameters<Rule['find']>[1]): RegistryTable[] {
  return registries(file).filter(({ name, mirrors }) => mirrors.length > 0 && isBehindEdge(hostOf(name), context));
}

function isEdgeMirror(mirror: Located, context: Parameters<Rule['find']>[1]): boolean {
  return isEdge(hostOf(textAt(mirror, 'location') ?? ''), context);
}

/** Hosts for which an auth.json has credentials. Docker Hub has two names there. */
function loginsOf(file: ParsedFile): string[] {
  const names = ['auths', 'credHelpers'].flatMap((key) =>
    entriesAt(file.documents[0], key).map(([name]) => hostOf(name)),
  );
  return names.flatMap((name) => (name === 'index.docker.io' ? [name, 'docker.io'] : [name]));
}

/** Where pulls go by registries.conf: past the edge, or in clear text. */
export const REGISTRIES_CONF_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'registries-digest-only',
    effect: 'bypass',
    key: 'mirror-by-digest-only, pull-from-mirror',
    happens: 'Mirrors are used only for images named by digest. Images named by tag bypass the edge.',
    remedy: 'Remove mirror-by-digest-only, and write pull-from-mirror = "all" for the edge, or omit it.',
    source: containersImage(MANUAL),
    find: (file) =>
      registries(file).flatMap(({ table, mirrors }) => {
        const entry = entryAt(table, 'mirror-by-digest-only');
        const only = mirrors.map((mirror) => entryAt(mirror, 'pull-from-mirror'));
        if (isTrue(entry?.value)) return only.length > 0 && !only.some(Boolean) ? [{ line: entry?.line ?? 1 }] : [];
        const first = only[0];
        const all = only.every((one) => one?.value.kind === 'scalar' && one.value.value === 'digest-only');
        return first && all ? [{ line: first.line }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'registries-insecure',
    effect: 'clear-text',
    key: 'insecure',
    happens:
      'With insecure, any certificate is accepted, and plain HTTP too. Another machine can serve images and read the credentials.',
    remedy: 'Remove insecure, and put the CA into /etc/containers/certs.d/EDGE/ca.crt.',
    source: containersImage(MANUAL),
    find: (file) =>
      registries(file).flatMap(({ table, mirrors }) =>
        [table, ...mirrors].flatMap((one) => {
          const entry = entryAt(one, 'insecure');
          const location = textAt(one, 'location') ?? textAt(one, 'prefix') ?? '';
          if (!isTrue(entry?.value) || isLoopback(hostOf(location))) return [];
          return [{ line: entry?.line ?? one.line, subject: `registry ${quoted(location)}` }];
        }),
      ),
  },
  {
    ...COMMON,
    name: 'registries-no-edge',
    effect: 'bypass',
    key: 'registry.mirror',
    happens: 'Pulls of these images do not go through the edge, because none of the mirrors is the edge.',
    remedy: 'Add a [[registry.mirror]] with location = "EDGE" before the others.',
    source: containersImage(MANUAL),
    find: (file, context) =>
      context.edges.length === 0
        ? []
        : mirrored(file, context)
            .filter(
              ({ table, mirrors }) =>
                ![table, ...mirrors].some((one) => mayBeEdge(hostOf(textAt(one, 'location') ?? ''), context)),
            )
            .map(registryHit),
  },
  {
    ...COMMON,
    name: 'registries-edge-not-first',
    effect: 'bypass',
    key: 'registry.mirror',
    happens:
      'Mirrors are asked in the order of the file. This one is asked before the edge, and waited for if it hangs.',
    remedy: 'Write the [[registry.mirror]] of the edge first.',
    source: containersImage(MANUAL),
    find: (file, context) =>
      registries(file).flatMap(({ mirrors }) => {
        const place = mirrors.findIndex((mirror) => isEdgeMirror(mirror, context));
        return mirrors.slice(0, Math.max(0, place)).map(mirrorHit);
      }),
  },
  {
    ...COMMON,
    name: 'registries-leak',
    effect: 'leak',
    key: 'registry.location',
    happens: 'If no mirror has the image, or all of them fail, the registry itself is asked, in the internet.',
    remedy: 'Write location = "EDGE", so that nothing but the edge is asked.',
    source: containersImage(MANUAL),
    find: (file) =>
      registries(file)
        .filter(({ table, name, mirrors }) => mirrors.length > 0 && isPublic(hostOf(textAt(table, 'location') ?? name)))
        .map(registryHit),
  },
  {
    ...COMMON,
    name: 'registries-library',
    effect: 'bypass',
    key: 'registry.prefix',
    happens: 'docker.io/NAME is short for docker.io/library/NAME. This prefix does not match that image.',
    remedy: 'Write docker.io/library/NAME.',
    source: containersImage(`${MANUAL}, Normalization of docker.io references`),
    find: (file) =>
      registries(file)
        .filter(({ name }) => /^docker\.io\/[^/]+$/.test(name) && name !== 'docker.io/library')
        .map(registryHit),
  },
  {
    ...COMMON,
    name: 'registries-blocked-edge',
    effect: 'broken',
    key: 'registry.blocked',
    happens: 'Pulls from the edge are forbidden.',
    remedy: 'Remove blocked = true.',
    source: containersImage(MANUAL, 'skopeo 1.9.3 says: registry … is blocked'),
    find: (file, context) =>
      registries(file).flatMap(({ table, name }) => {
        const entry = entryAt(table, 'blocked');
        return isTrue(entry?.value) && isEdge(hostOf(name), context) ? [{ line: entry?.line ?? 1 }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'registries-short-names',
    effect: 'leak',
    key: 'unqualified-search-registries',
    happens: 'Images without a registry in their name, such as alpine, are pulled from the internet.',
    remedy:
      'Write unqualified-search-registries = ["EDGE"], or a [[registry]] with the edge as mirror for each of them.',
    source: containersImage(MANUAL),
    find: (file, { files }) => {
      const known = files.filter(({ kind }) => kind === 'registries-conf').flatMap(registries);
      return textsAt(file.documents[0], 'unqualified-search-registries')
        .filter(({ text }) => isPublic(text) && !known.some(({ name, mirrors }) => name === text && mirrors.length > 0))
        .map(({ text, line }) => ({ line, subject: `registry ${quoted(text)}` }));
    },
  },
  {
    ...COMMON,
    name: 'registries-drop-in-name',
    effect: 'bypass',
    key: 'file',
    happens: 'In registries.conf.d, only files whose names end in .conf are read. This file is ignored.',
    remedy: 'Rename the file so that it ends in .conf.',
    source: containersImage(MANUAL),
    find: (file) => (/\.conf\.d\//.test(file.path) && !file.path.endsWith('.conf') ? [{ line: 1 }] : []),
  },
  {
    ...COMMON,
    name: 'registries-mirror-login',
    effect: 'credentials',
    key: 'registry.mirror',
    happens:
      'A mirror gets only credentials that are written for its own name. There are some for the registry, and none for this mirror.',
    remedy: 'Run podman login MIRROR. A password of the command line or of a Pod is not sent to a mirror either.',
    source: containersImage('docker/docker_image_src.go, newPullClient'),
    find: (file, { files }) => {
      const logins = files.filter(({ kind }) => kind === 'containers-auth' || kind === 'docker-auth').flatMap(loginsOf);
      return registries(file)
        .filter(({ name }) => logins.includes(hostOf(name)))
        .flatMap(({ mirrors }) =>
          mirrors.filter((mirror) => !logins.includes(hostOf(textAt(mirror, 'location') ?? ''))),
        )
        .map(mirrorHit);
    },
  },
  {
    ...COMMON,
    name: 'registries-v1',
    effect: 'removed',
    versions: { from: '6.0' },
    key: 'registries',
    happens: 'This is version 1 of the format. podman 6 does not know it any more, and every command fails.',
    remedy: 'Write unqualified-search-registries = […] and a [[registry]] for each insecure or blocked registry.',
    source: containersImage(`${CODE}, loadConfigFile; the library converts it up to 5.39`),
    find: (file) => {
      const entry = entryAt(file.documents[0], 'registries');
      const old = ['search', 'insecure', 'block'].some((key) => mapAt(entry?.value, key));
      return entry && old ? [{ line: entriesAt(entry.value)[0]?.[1].line ?? entry.line }] : [];
    },
  },
];
