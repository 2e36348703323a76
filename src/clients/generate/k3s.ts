import { type ClientSite, commonPath } from '../client-site.ts';
import { certificateFile, type Edit, fallbackRisk, type Generated, headerOf, type Request } from './generated.ts';
import { isAtLeast } from './version.ts';

const FOLDER = '/etc/rancher/k3s';
/** All releases of this minor version have `disable-default-registry-endpoint`; older ones have it since January 2024. */
const NO_DEFAULT_SINCE = '1.30';

/** k3s. Keys: https://docs.k3s.io/installation/private-registry (2026-11-30). */
export function k3sFiles({ site, version }: Request): Generated {
  const { host, ca, fallback, user, mirrors } = site;
  const path = fallback && commonPath(fallback);
  const asksFallback = fallback !== undefined && path !== undefined;
  const isClosed = mirrors.length > 0 && !fallback && (version === undefined || isAtLeast(version, NO_DEFAULT_SINCE));
  const edits = [
    ...(asksFallback ? [endpoints(host, urlOf(host, ''), urlOf(fallback.host, path))] : []),
    ...mirrors.map(({ registry, prefix }) => endpoints(registry, urlOf(host, prefix))),
    ...settings(host, ca === undefined ? undefined : caFile(host), user),
    ...(asksFallback ? settings(fallback.host, fallback.ca === undefined ? undefined : caFile(fallback.host)) : []),
  ];
  return {
    files: [
      ...certificateFile('k3s', host, caFile(host), ca),
      ...(asksFallback ? certificateFile('k3s', host, caFile(fallback.host), fallback.ca) : []),
      ...(isClosed ? [{ path: `${FOLDER}/config.yaml.d/50-breakwater.yaml`, content: closedConfig(host) }] : []),
      ...(edits.length === 0
        ? []
        : [
            {
              path: `${FOLDER}/registries.yaml`,
              ...(user ? { secret: true as const } : {}),
              content: { format: 'yaml' as const, comment: [headerOf('k3s', host)], edits },
            },
          ]),
    ],
    notes: notesOf(site, asksFallback, isClosed),
  };
}

function notesOf(site: ClientSite, asksFallback: boolean, isClosed: boolean): string[] {
  const { fallback, mirrors } = site;
  return [
    ...(asksFallback ? [fallbackRisk(site, 'k3s').join(' ')] : []),
    ...(fallback && !asksFallback
      ? [
          `${fallback.host} is no second endpoint here: it keeps images under several other names, and an endpoint has one path.`,
        ]
      : []),
    ...(mirrors.length > 0 && !isClosed
      ? [
          'k3s asks the registry itself last, after its endpoints. Only disable-default-registry-endpoint prevents that.',
        ]
      : []),
    'Restart k3s (server or agent), so that it reads registries.yaml. Every node needs the file.',
  ];
}

/** A file beside config.yaml (https://docs.k3s.io/installation/configuration, 2026-11-30). */
function closedConfig(host: string): string {
  const why = 'Without it, k3s asks a registry itself when the edge does not serve an image.';
  return `# ${headerOf('k3s', host)}\n# ${why}\ndisable-default-registry-endpoint: true\n`;
}

function endpoints(registry: string, ...urls: string[]): Edit {
  return { path: ['mirrors', registry], value: { endpoint: urls }, how: 'set' };
}

/** A path after the host is used as it is, so that it has to begin with /v2. */
function urlOf(host: string, path: string): string {
  return path === '' ? `https://${host}` : `https://${host}/v2/${path.replace(/\/$/, '')}`;
}

function settings(host: string, ca: string | undefined, user?: ClientSite['user']): Edit[] {
  const tls: Edit[] = ca === undefined ? [] : [{ path: ['configs', host, 'tls'], value: { ca_file: ca }, how: 'set' }];
  const auth = user && { username: user.name, password: user.password };
  return auth ? [...tls, { path: ['configs', host, 'auth'], value: auth, how: 'set' }] : tls;
}

function caFile(host: string): string {
  return `${FOLDER}/breakwater/${host.replace(/[^a-z0-9.-]+/g, '_')}.crt`;
}
