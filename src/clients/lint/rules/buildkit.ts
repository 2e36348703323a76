import { entriesAt, entryAt, isTrue, type Located, mapAt, textsAt } from '../document.ts';
import { hostOf, isBehindEdge, isEdge, isLoopback, mayBeEdge, quoted } from '../registry-name.ts';
import type { Hit, ParsedFile, Rule } from '../rule.ts';
import { buildkit } from './sources.ts';

const RESOLVER = 'util/resolver/resolver.go';
const COMMON: Pick<Rule, 'program' | 'kinds'> = { program: 'buildkit', kinds: ['buildkit'] };
const KNOWN = new Set(['mirrors', 'http', 'insecure', 'ca', 'keypair', 'tlsconfigdir']);

interface Registry {
  name: string;
  line: number;
  table: Located;
  mirrors: { text: string; line: number }[];
}

function registries(file: ParsedFile): Registry[] {
  return entriesAt(file.documents[0], 'registry').map(([name, { line, value }]) => ({
    name,
    line,
    table: value,
    mirrors: textsAt(value, 'mirrors'),
  }));
}

function isUnquoted({ table }: Registry): boolean {
  const keys = [...(mapAt(table)?.entries ?? [])];
  return keys.length > 0 && keys.every(([key, { value }]) => !KNOWN.has(key) && value.kind === 'map');
}

function flag(file: ParsedFile, key: string): Hit[] {
  return registries(file).flatMap(({ name, table }) => {
    const entry = entryAt(table, key);
    return isTrue(entry?.value) && !isLoopback(name)
      ? [{ line: entry?.line ?? 1, subject: `registry ${quoted(name)}` }]
      : [];
  });
}

/** buildkitd.toml. */
export const BUILDKIT_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'buildkit-mirror-http',
    effect: 'bypass',
    key: 'registry.*.mirrors',
    happens:
      'BuildKit drops http:// of a mirror and speaks HTTPS. If the mirror has no TLS, the registry itself is asked.',
    remedy: 'Write the name alone. For plain HTTP, write http = true in [registry."NAME OF THE MIRROR"].',
    source: buildkit('util/resolver/utils.go and resolver.go, newMirrorRegistryHost'),
    find: (file) =>
      registries(file).flatMap(({ mirrors }) =>
        mirrors
          .filter(({ text }) => /^http:\/\//i.test(text))
          .map(({ text, line }) => ({ line, subject: `mirror ${quoted(text)}` })),
      ),
  },
  {
    ...COMMON,
    name: 'buildkit-ca-place',
    effect: 'ca',
    key: 'registry.*.ca',
    happens: 'BuildKit takes the CA of a mirror from the table of the mirror. It ignores this one for the mirrors.',
    remedy: 'Write ca in [registry."NAME OF THE MIRROR"].',
    source: buildkit(`${RESOLVER}, NewRegistryConfig and fillInsecureOpts`),
    find: (file) => {
      const tables = new Map(registries(file).map((registry) => [registry.name, registry]));
      return registries(file).flatMap(({ table, mirrors }) => {
        const entry = entryAt(table, 'ca') ?? entryAt(table, 'keypair') ?? entryAt(table, 'tlsconfigdir');
        const own = mirrors.some(({ text }) => tables.has(hostOf(text)));
        return entry && mirrors.length > 0 && !own ? [{ line: entry.line }] : [];
      });
    },
  },
  {
    ...COMMON,
    name: 'buildkit-unquoted',
    effect: 'bypass',
    key: 'registry',
    happens:
      'Without quotes, TOML takes each dot for a level. BuildKit sees a registry that has only the first part of the name.',
    remedy: 'Write the registry in quotes: [registry."docker.io"].',
    source: buildkit('docs/buildkitd.toml.md'),
    find: (file) =>
      registries(file)
        .filter(isUnquoted)
        .map(({ name, line }) => ({ line, subject: `registry ${quoted(name)}` })),
  },
  {
    ...COMMON,
    name: 'buildkit-http',
    effect: 'clear-text',
    key: 'registry.*.http',
    happens:
      'BuildKit speaks plain HTTP with this registry: images can be changed on the way, and credentials are read.',
    remedy: 'Remove http, and name a private CA with ca.',
    source: buildkit(`${RESOLVER}, fillInsecureOpts`),
    find: (file) => flag(file, 'http'),
  },
  {
    ...COMMON,
    name: 'buildkit-insecure',
    effect: 'ca',
    key: 'registry.*.insecure',
    happens:
      'BuildKit accepts any certificate. Another machine can serve images in its name, and read the credentials.',
    remedy: 'Remove insecure, and name the CA with ca.',
    source: buildkit(`${RESOLVER}, fillInsecureOpts`),
    find: (file) => flag(file, 'insecure'),
  },
  {
    ...COMMON,
    name: 'buildkit-unknown-key',
    effect: 'bypass',
    key: 'any',
    happens: 'BuildKit ignores a key of a registry that it does not know, without a word.',
    remedy: `Use its keys: ${[...KNOWN].join(', ')}.`,
    source: buildkit('util/resolver/config/config.go and cmd/buildkitd/config/load.go'),
    find: (file) =>
      registries(file)
        .filter((registry) => !isUnquoted(registry))
        .flatMap(({ table }) =>
          entriesAt(table)
            .filter(([key]) => !KNOWN.has(key))
            .map(([key, { line }]) => ({ line, subject: `key ${quoted(key)}` })),
        ),
  },
  {
    ...COMMON,
    name: 'buildkit-edge-not-first',
    effect: 'bypass',
    key: 'registry.*.mirrors',
    happens:
      'BuildKit asks mirrors in the order of the list. It asks this one before the edge, and waits 30 s if it does not answer.',
    remedy: 'Write the edge first.',
    source: buildkit(`${RESOLVER}, NewRegistryConfig and newDefaultTransport`),
    find: (file, context) =>
      registries(file).flatMap(({ mirrors }) => {
        const place = mirrors.findIndex(({ text }) => isEdge(hostOf(text), context));
        return mirrors
          .slice(0, Math.max(0, place))
          .map(({ text, line }) => ({ line, subject: `mirror ${quoted(text)}` }));
      }),
  },
  {
    ...COMMON,
    name: 'buildkit-no-edge',
    effect: 'bypass',
    key: 'registry.*.mirrors',
    happens: 'Pulls of these images do not go through the edge, because none of the mirrors is the edge.',
    remedy: 'Write mirrors = ["EDGE"].',
    source: buildkit(`${RESOLVER}, NewRegistryConfig`),
    find: (file, context) =>
      context.edges.length === 0
        ? []
        : registries(file)
            .filter(({ name, mirrors }) => mirrors.length > 0 && isBehindEdge(name, context))
            .filter(({ mirrors }) => !mirrors.some(({ text }) => mayBeEdge(hostOf(text), context)))
            .map(({ name, line }) => ({ line, subject: `registry ${quoted(name)}` })),
  },
];
