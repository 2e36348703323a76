import { stringify } from 'smol-toml';
import type { ClientSite, Mirror } from '../client-site.ts';
import {
  certificateFile,
  fallbackRisk,
  type Generated,
  type GeneratedFile,
  headerOf,
  type Request,
} from './generated.ts';
import { isAtLeast } from './version.ts';

/** The programs that use the library containers/image, and the first of their versions that knows `pull-from-mirror`. */
const PULL_FROM_MIRROR_SINCE: Record<string, string> = {
  podman: '4.2',
  'cri-o': '1.25',
  skopeo: '1.9',
  buildah: '1.27',
};

interface Entry {
  comment: string[];
  registry: object;
}

/**
 * podman, CRI-O, skopeo and buildah, which share their files. Keys: containers-registries.conf(5) and containers-certs.d(5)
 * (https://github.com/containers/image/tree/main/docs, 2026-11-30).
 */
export function containersFiles(kind: string, { site, version }: Request): Generated {
  const pullFromMirror = version === undefined || isAtLeast(version, PULL_FROM_MIRROR_SINCE[kind] ?? '0');
  const entries = [
    ...(site.fallback ? site.fallback.places.map((place) => edgeEntry(site, place, pullFromMirror)) : []),
    ...site.mirrors.map((mirror) => mirrorEntry(site, mirror, pullFromMirror)),
  ];
  return { files: [...certificates(kind, site), ...registries(kind, site, entries)], notes: notesOf(kind, site) };
}

function certificates(kind: string, { host, ca, fallback }: ClientSite): GeneratedFile[] {
  const folder = '/etc/containers/certs.d';
  return [
    ...certificateFile(kind, host, `${folder}/${host}/ca.crt`, ca),
    ...(fallback ? certificateFile(kind, host, `${folder}/${fallback.host}/ca.crt`, fallback.ca) : []),
  ];
}

function registries(kind: string, { host }: ClientSite, entries: readonly Entry[]): GeneratedFile[] {
  if (entries.length === 0) return [];
  const texts = entries.map(
    ({ comment, registry }) => `${comment.map((line) => `# ${line}\n`).join('')}${stringify({ registry: [registry] })}`,
  );
  const content = `# ${headerOf(kind, host)}\n\n${texts.join('\n')}`;
  return [{ path: `/etc/containers/registries.conf.d/50-breakwater-${fileName(host)}.conf`, content }];
}

/** Mirrors are asked in their order, then the location. Pushes only go to the location. */
function edgeEntry(site: ClientSite, { prefix, at }: { prefix: string; at: string }, pullFromMirror: boolean): Entry {
  const own = place(site.host, prefix);
  const mirrors = [own, place(site.fallback?.host ?? '', at)];
  return {
    comment: [
      ...fallbackRisk(site, 'the program'),
      ...(pullFromMirror ? ['With pull-from-mirror = "digest-only", no tag comes from the fallback.'] : []),
    ],
    registry: { prefix: own, location: own, mirror: mirrors.map((location) => mirrorOf(location, pullFromMirror)) },
  };
}

function mirrorEntry(site: ClientSite, { registry, prefix }: Mirror, pullFromMirror: boolean): Entry {
  const location = place(site.host, prefix);
  if (!site.fallback)
    return {
      comment: [`Images of ${registry} come through ${site.host} only. ${registry} itself is never asked.`],
      registry: { prefix: registry, location },
    };
  return {
    comment: [
      `${registry} itself is asked when ${site.host} does not answer, and also when it answers 404 or refuses.`,
    ],
    registry: { prefix: registry, location: registry, mirror: [mirrorOf(location, pullFromMirror)] },
  };
}

function mirrorOf(location: string, pullFromMirror: boolean): object {
  return pullFromMirror ? { location, 'pull-from-mirror': 'all' } : { location };
}

function place(host: string, prefix: string): string {
  return `${host}/${prefix}`.replace(/\/$/, '');
}

/** Characters of a host that are unusual in the name of a file are replaced. */
function fileName(host: string): string {
  return host.replace(/[^a-z0-9.-]+/gi, '-');
}

function notesOf(kind: string, site: ClientSite): string[] {
  const { host, mirrors, fallback } = site;
  const bare = mirrors.filter(({ prefix }) => prefix === '').map(({ registry }) => registry);
  return [
    ...(fallback ? [fallbackRisk(site, kind).join(' ')] : []),
    ...(bare.length > 0
      ? [
          `${kind} does not say that an image is of ${bare.join(' or ')} (no ?ns=): the routes of the edge without \`registry:\` answer. Give a prefix, such as --mirror ${bare[0]}=PREFIX/, if they serve other images under these names.`,
        ]
      : []),
    'podman, CRI-O, skopeo and buildah share these files: what one of them is told holds for all.',
    ...(kind === 'cri-o' ? ['Reload CRI-O with SIGHUP (systemctl reload crio), so that it reads them anew.'] : []),
    `Credentials: ${kind === 'cri-o' ? 'imagePullSecrets, or global_auth_file' : `${kind} login ${host}`}.`,
  ];
}
