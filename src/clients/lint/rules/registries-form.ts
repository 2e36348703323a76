import { entriesAt, entryAt, isTrue, type Located, textAt } from '../document.ts';
import { quoted } from '../registry-name.ts';
import type { Hit, Rule } from '../rule.ts';
import { registries } from './registries-conf.ts';
import { containersImage } from './sources.ts';

const CODE = 'pkg/sysregistriesv2/system_registries_v2.go';
const TRIED = 'skopeo 1.9.3 says:';
const COMMON: Pick<Rule, 'program' | 'alsoIn' | 'kinds' | 'effect'> = {
  program: 'podman',
  alsoIn: ['skopeo', 'buildah', 'CRI-O'],
  kinds: ['registries-conf'],
  effect: 'broken',
};

const TOP = new Set([
  'registry',
  'registries',
  'aliases',
  'unqualified-search-registries',
  'short-name-mode',
  'credential-helpers',
  'additional-layer-store-auth-helper',
]);
const OF_REGISTRY = new Set([
  'prefix',
  'location',
  'insecure',
  'blocked',
  'mirror',
  'mirror-by-digest-only',
  'namespace-proxy',
  'pull-from-mirror',
]);
const OF_MIRROR = new Set(['location', 'insecure', 'pull-from-mirror', 'namespace-proxy']);

function unknown(table: Located | undefined, known: ReadonlySet<string>): Hit[] {
  return entriesAt(table)
    .filter(([key]) => !known.has(key))
    .map(([key, { line }]) => ({ line, subject: `key ${quoted(key)}` }));
}

/** Mistakes in registries.conf for which podman, skopeo, buildah and CRI-O refuse the file, or ignore a part of it. */
export const REGISTRIES_FORM_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'registries-scheme',
    key: 'location, prefix',
    happens: 'A location must have no https://. Every pull fails, of any image.',
    remedy: 'Write the name alone: location = "cr.example.io".',
    source: containersImage(`${CODE}, parseLocation`, `${TRIED} URI schemes are not supported`),
    find: (file) =>
      registries(file).flatMap(({ table, mirrors }) =>
        [table, ...mirrors].flatMap((one) =>
          ['location', 'prefix'].flatMap((key) => {
            const text = textAt(one, key) ?? '';
            if (!/^https?:\/\//.test(text)) return [];
            return [{ line: entryAt(one, key)?.line ?? one.line, subject: `${key} ${quoted(text)}` }];
          }),
        ),
      ),
  },
  {
    ...COMMON,
    name: 'registries-no-location',
    key: 'location',
    happens: 'A prefix without a wildcard needs a location. Every pull fails, of any image.',
    remedy: 'Add location with the value of prefix.',
    source: containersImage(`${CODE}, postProcessRegistries`, `${TRIED} location is unset`),
    find: (file) => [
      ...registries(file)
        .filter(({ table }) => (textAt(table, 'location') ?? '') === '' && !textAt(table, 'prefix')?.startsWith('*.'))
        .map(({ line, name }) => ({ line, subject: `registry ${quoted(name)}` })),
      ...registries(file).flatMap(({ mirrors }) =>
        mirrors
          .filter((mirror) => (textAt(mirror, 'location') ?? '') === '')
          .map(({ line }) => ({ line, subject: 'mirror' })),
      ),
    ],
  },
  {
    ...COMMON,
    name: 'registries-pull-from-mirror-place',
    key: 'pull-from-mirror',
    happens: 'pull-from-mirror belongs to a mirror. In a [[registry]], every pull fails, of any image.',
    remedy: 'Move the line below [[registry.mirror]].',
    source: containersImage(`${CODE}, postProcessRegistries`, `${TRIED} must not be set for a non-mirror registry`),
    find: (file) =>
      registries(file).flatMap(({ table }) => {
        const entry = entryAt(table, 'pull-from-mirror');
        return entry ? [{ line: entry.line }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'registries-pull-from-mirror-value',
    key: 'pull-from-mirror',
    happens: 'pull-from-mirror can be all, digest-only or tag-only. With another value every pull fails, of any image.',
    remedy: 'Write pull-from-mirror = "all", or omit it.',
    source: containersImage(`${CODE}, postProcessRegistries`, `${TRIED} unsupported pull-from-mirror value`),
    find: (file) =>
      registries(file).flatMap(({ mirrors }) =>
        mirrors.flatMap((mirror) => {
          const entry = entryAt(mirror, 'pull-from-mirror');
          const value = textAt(mirror, 'pull-from-mirror') ?? '';
          return entry && !['', 'all', 'digest-only', 'tag-only'].includes(value)
            ? [{ line: entry.line, subject: `value ${quoted(value)}` }]
            : [];
        }),
      ),
  },
  {
    ...COMMON,
    name: 'registries-digest-conflict',
    key: 'mirror-by-digest-only',
    happens: 'mirror-by-digest-only and pull-from-mirror must not be set together. Every pull fails, of any image.',
    remedy: 'Remove mirror-by-digest-only.',
    source: containersImage(`${CODE}, postProcessRegistries`, `${TRIED} cannot set … at the same time`),
    find: (file) =>
      registries(file).flatMap(({ table, mirrors }) =>
        isTrue(entryAt(table, 'mirror-by-digest-only')?.value)
          ? mirrors.flatMap((mirror) => {
              const entry = entryAt(mirror, 'pull-from-mirror');
              return entry ? [{ line: entry.line }] : [];
            })
          : [],
      ),
  },
  {
    ...COMMON,
    name: 'registries-wildcard',
    key: 'prefix',
    happens: 'A prefix with a wildcard must be a host alone: *.example.com. Every pull fails, of any image.',
    remedy: 'Remove the path and the port.',
    source: containersImage(`${CODE}, loadConfigFile`, `${TRIED} Wildcarded prefix should be in the format`),
    find: (file) =>
      registries(file)
        .filter(({ table }) => /^\*\..*[/@:]/.test(textAt(table, 'prefix') ?? ''))
        .map(({ line, name }) => ({ line, subject: `prefix ${quoted(name)}` })),
  },
  {
    ...COMMON,
    name: 'registries-short-name-mode',
    key: 'short-name-mode',
    happens:
      'short-name-mode can be enforcing, permissive or disabled. With another value every pull fails, of any image.',
    remedy: 'Write one of the three words.',
    source: containersImage(`${CODE}, parseShortNameMode`, `${TRIED} invalid short-name mode`),
    find: (file) => {
      const entry = entryAt(file.documents[0], 'short-name-mode');
      const mode = textAt(file.documents[0], 'short-name-mode') ?? '';
      return entry && !['', 'enforcing', 'permissive', 'disabled'].includes(mode) ? [{ line: entry.line }] : [];
    },
  },
  {
    ...COMMON,
    effect: 'bypass',
    name: 'registries-unknown-key',
    key: 'any',
    happens: 'A key that is not known is ignored without a word.',
    remedy: 'Write [[registry]] with prefix and location, and [[registry.mirror]] with location.',
    source: containersImage(`${CODE}, loadConfigFile`, 'skopeo 1.9.3 does not ask the mirror of [[registry.mirrors]]'),
    find: (file) => [
      ...unknown(file.documents[0], TOP),
      ...registries(file).flatMap(({ table, mirrors }) => [
        ...unknown(table, OF_REGISTRY),
        ...mirrors.flatMap((mirror) => unknown(mirror, OF_MIRROR)),
      ]),
    ],
  },
];
