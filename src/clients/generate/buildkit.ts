import { commonPath } from '../client-site.ts';
import { certificateFile, type Edit, fallbackRisk, type Generated, headerOf, type Request } from './generated.ts';

const FOLDER = '/etc/buildkit';

/** buildkitd. Keys: docs/buildkitd.toml.md of https://github.com/moby/buildkit (2026-11-30). */
export function buildkitFiles({ site }: Request): Generated {
  const { host, ca, mirrors, fallback } = site;
  const path = fallback && commonPath(fallback);
  const asksFallback = fallback !== undefined && path !== undefined;
  const edits: Edit[] = [
    ...trust(host, ca),
    ...(asksFallback ? [mirror(host, host, `${fallback.host}/${path}`), ...trust(fallback.host, fallback.ca)] : []),
    ...mirrors.map(({ registry, prefix }) => mirror(registry, `${host}/${prefix}`)),
  ];
  return {
    files: [
      ...certificateFile('buildkit', host, caFile(host), ca),
      ...(asksFallback ? certificateFile('buildkit', host, caFile(fallback.host), fallback.ca) : []),
      { path: `${FOLDER}/buildkitd.toml`, content: { format: 'toml', comment: [headerOf('buildkit', host)], edits } },
    ],
    notes: [
      ...(asksFallback ? [fallbackRisk(site, 'BuildKit').join(' ')] : []),
      ...(fallback && !asksFallback
        ? [
            `${fallback.host} is no second host here: it keeps images under several other names, and a mirror has one path.`,
          ]
        : []),
      ...(mirrors.length > 0 ? ['BuildKit asks the registry itself after its mirrors. It cannot be told not to.'] : []),
      'Restart buildkitd. With buildx: docker buildx create --buildkitd-config /etc/buildkit/buildkitd.toml, which copies the file and the certificates into the builder.',
      ...(ca === undefined
        ? []
        : [
            'The client (buildctl, docker buildx) must trust the authority too if users log in, because it fetches the tokens.',
          ]),
    ],
  };
}

function mirror(registry: string, ...places: string[]): Edit {
  return {
    path: ['registry', registry, 'mirrors'],
    value: places.map((place) => place.replace(/\/$/, '')),
    how: 'set',
  };
}

function trust(host: string, ca: string | undefined): Edit[] {
  return [
    // Without it, BuildKit speaks plain HTTP to addresses of loopback.
    { path: ['registry', host, 'http'], value: false, how: 'set' },
    ...(ca === undefined ? [] : [{ path: ['registry', host, 'ca'], value: [caFile(host)], how: 'set' as const }]),
  ];
}

function caFile(host: string): string {
  return `${FOLDER}/breakwater/${host.replace(/[^a-z0-9.-]+/g, '_')}.crt`;
}
