import { entriesAt, entryAt, mapAt, textAt, textsAt } from '../document.ts';
import { quoted } from '../registry-name.ts';
import type { Rule } from '../rule.ts';
import {
  CRI_NAMES,
  criTables,
  fileVersion,
  hasMirror,
  publicRegistryOf,
  registryKey,
  tlsOfConfigs,
} from './cri-tables.ts';
import { containerd17, containerd20, containerd22, containerd23, containerd24, microk8s } from './sources.ts';

const CONFIG = 'internal/cri/config/config.go';
const TRIED = 'containerd 1.6.20';
const COMMON: Pick<Rule, 'program' | 'kinds'> = {
  program: 'containerd',
  kinds: ['containerd-config', 'microk8s-template'],
};

/** config.toml of containerd: where it looks for hosts, in each version of the file and of the program. */
export const CONTAINERD_CONFIG_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'containerd-mirrors-and-config-path',
    effect: 'broken',
    key: 'registry.mirrors',
    happens:
      'containerd does not load its CRI plugin if config_path and mirrors are both set. The kubelet cannot start Pods.',
    remedy: 'Remove mirrors, and write a hosts.toml for each registry.',
    source: containerd24(
      `${CONFIG}, ValidateImageConfig`,
      `${TRIED} says: mirrors cannot be set when config_path is provided`,
    ),
    find: (file) => (hasConfigPath(file) ? registryKey(file, 'mirrors').map(({ line }) => ({ line })) : []),
  },
  {
    ...COMMON,
    name: 'containerd-tls-and-config-path',
    effect: 'broken',
    versions: { before: '2.0' },
    key: 'registry.configs.*.tls',
    happens:
      'containerd does not load its CRI plugin if config_path and tls are both set. The kubelet cannot start Pods.',
    remedy: 'Remove tls, and name the CA in hosts.toml.',
    source: containerd17(
      'pkg/cri/config/config.go, ValidatePluginConfig',
      `${TRIED} says: configs.tls cannot be set when config_path is provided`,
    ),
    find: (file) =>
      hasConfigPath(file)
        ? tlsOfConfigs(file).map(({ line, name }) => ({ line, subject: `registry ${quoted(name)}` }))
        : [],
  },
  {
    ...COMMON,
    name: 'containerd-tls-removed',
    effect: 'ca',
    versions: { from: '2.0' },
    onlyIfVersionKnown: true,
    key: 'registry.configs.*.tls',
    happens:
      'containerd 2 does not know tls here any more. It ignores the CA, and pulls fail with an unknown authority.',
    remedy: 'Set config_path, and name the CA in hosts.toml: ca = "ca.crt".',
    source: containerd20(`${CONFIG}, RegistryConfig`),
    find: (file) => tlsOfConfigs(file).map(({ line, name }) => ({ line, subject: `registry ${quoted(name)}` })),
  },
  {
    ...COMMON,
    name: 'containerd-mirrors-deprecated',
    effect: 'removed',
    versions: { from: '1.5' },
    key: 'registry.mirrors',
    happens:
      'mirrors has been deprecated since containerd 1.5, and is planned to be removed in 2.7. It has no dial_timeout.',
    remedy: 'Set config_path = "/etc/containerd/certs.d", and write a hosts.toml for each registry.',
    source: containerd24('RELEASES.md, Deprecated config properties'),
    find: (file) => (hasConfigPath(file) ? [] : registryKey(file, 'mirrors').map(({ line }) => ({ line }))),
  },
  {
    ...COMMON,
    name: 'containerd-auth-deprecated',
    effect: 'credentials',
    versions: { from: '1.5' },
    key: 'registry.auths, registry.configs.*.auth',
    happens:
      'Credentials in config.toml have been deprecated since containerd 1.5, and are planned to be removed in 2.7. They are not used for a Pod that has imagePullSecrets.',
    remedy: 'Use imagePullSecrets, or the credential provider of the kubelet.',
    source: containerd24('RELEASES.md, Deprecated config properties, and internal/cri/server/images/image_pull.go'),
    find: (file) => {
      const auths = registryKey(file, 'auths').map(({ line }) => ({ line }));
      const configs = registryKey(file, 'configs').flatMap(({ value }) =>
        entriesAt(value).flatMap(([name, entry]) => {
          const auth = entryAt(entry.value, 'auth');
          return auth ? [{ line: auth.line, subject: `registry ${quoted(name)}` }] : [];
        }),
      );
      return [...auths, ...configs];
    },
  },
  {
    ...COMMON,
    kinds: ['containerd-config'],
    name: 'containerd-no-config-path',
    effect: 'bypass',
    versions: { before: '2.2' },
    key: 'registry.config_path',
    happens:
      'Without config_path, the CRI plugin does not look into /etc/containerd/certs.d. Kubernetes pulls bypass the edge.',
    remedy: 'Set config_path = "/etc/containerd/certs.d" in the registry table of the CRI plugin.',
    source: containerd22(
      'plugins/cri/images/plugin.go, which has a default since 2.2',
      `${TRIED}: config dump shows an empty config_path`,
    ),
    find: (file) => {
      const imports = entryAt(file.documents[0], 'imports');
      // The packages of Docker disable the plugin, because dockerd needs none.
      const disabled = textsAt(file.documents[0], 'disabled_plugins').map(({ text }) => text);
      if (disabled.includes(CRI_NAMES.short) || disabled.includes(CRI_NAMES.uri)) return [];
      const set = hasConfigPath(file) || registryKey(file, 'mirrors').length > 0;
      return set || imports || !file.path.endsWith('/config.toml') ? [] : [{ line: criTables(file)[0]?.line ?? 1 }];
    },
  },
  {
    ...COMMON,
    kinds: ['microk8s-template'],
    name: 'microk8s-no-config-path',
    effect: 'bypass',
    key: 'registry.config_path',
    happens: "Without config_path, containerd does not look into microk8s' args/certs.d. Pulls bypass the edge.",
    remedy:
      'Set config_path = "$SNAP_DATA/args/certs.d" (with braces around SNAP_DATA) in the registry table, as the template of microk8s does.',
    source: microk8s('microk8s-resources/default-args/containerd-template.toml'),
    find: (file) =>
      registryKey(file, 'config_path').some(
        ({ value }) => value.kind === 'scalar' && /certs\.d/.test(String(value.value)),
      )
        ? []
        : [{ line: criTables(file)[0]?.line ?? 1 }],
  },
  {
    ...COMMON,
    name: 'containerd-new-name-in-version-2',
    effect: 'bypass',
    versions: { before: '2.0' },
    key: `plugins."${CRI_NAMES.images}"`,
    happens: 'containerd 1 has no plugin of this name, and ignores the table. Pulls bypass the edge.',
    remedy: `Write [plugins."${CRI_NAMES.uri}".registry].`,
    source: containerd17('pkg/cri/config/config.go', `${TRIED}: config dump shows an empty config_path`),
    find: (file) =>
      fileVersion(file) > 2
        ? []
        : criTables(file).flatMap(({ name, line }) => (name === CRI_NAMES.images ? [{ line }] : [])),
  },
  {
    ...COMMON,
    name: 'containerd-old-name-in-version-3',
    effect: 'bypass',
    versions: { from: '2.0', before: '2.3' },
    key: `plugins."${CRI_NAMES.uri}".registry`,
    happens: 'In a file of version 3, containerd ignores settings of registries in this table. Pulls bypass the edge.',
    remedy: `Write [plugins."${CRI_NAMES.images}".registry].`,
    source: containerd23('plugins/cri/images/plugin.go, configMigration, and version/version.go'),
    find: (file) =>
      fileVersion(file) !== 3
        ? []
        : criTables(file).flatMap(({ name, table }) => {
            const entry = entryAt(table, 'registry');
            return name === CRI_NAMES.uri && entry ? [{ line: entry.line }] : [];
          }),
  },
  {
    ...COMMON,
    name: 'containerd-no-version',
    effect: 'bypass',
    versions: { before: '2.0' },
    key: 'version',
    happens:
      'A file without version has version 1, in which the table is called plugins.cri. containerd 1 ignores this one. Pulls bypass the edge.',
    remedy: 'Write version = 2 at the top of the file.',
    source: containerd24(
      'cmd/containerd/server/config/config.go, v1MigratePluginName',
      `${TRIED}: config dump shows an empty config_path`,
    ),
    find: (file) =>
      fileVersion(file) > 1
        ? []
        : criTables(file).flatMap(({ name, line }) => (name === CRI_NAMES.uri ? [{ line }] : [])),
  },
  {
    ...COMMON,
    name: 'containerd-short-name-in-version-2',
    effect: 'broken',
    key: 'plugins.cri',
    happens: 'From version 2 of the file on, names of plugins are long. containerd does not start.',
    remedy: `Write [plugins."${CRI_NAMES.uri}".registry].`,
    source: containerd17('services/server/config/config.go', `${TRIED} says: invalid plugin key URI "cri"`),
    find: (file) =>
      fileVersion(file) < 2
        ? []
        : criTables(file).flatMap(({ name, line }) => (name === CRI_NAMES.short ? [{ line }] : [])),
  },
  {
    ...COMMON,
    name: 'containerd-version-too-new',
    effect: 'broken',
    versions: { from: '1.7.17', before: '2.0' },
    onlyIfVersionKnown: true,
    key: 'version',
    happens: 'containerd 1 knows versions 1 and 2 of this file. Since 1.7.17, it does not start with another one.',
    remedy: 'Write version = 2, and the names of its plugins.',
    source: containerd17('services/server/config/config.go, ValidateVersion; 1.7.16 does not look at it'),
    find: (file) => (fileVersion(file) > 2 ? [{ line: entryAt(file.documents[0], 'version')?.line ?? 1 }] : []),
  },
  {
    ...COMMON,
    name: 'containerd-unquoted-registry',
    effect: 'bypass',
    key: 'registry.mirrors, registry.configs',
    happens:
      'Without quotes, TOML takes each dot for a level. containerd sees a registry that has only the first part of the name.',
    remedy: 'Write the registry in quotes: mirrors."docker.io".',
    source: containerd24('docs/cri/registry.md', `${TRIED}: config dump shows the registry "docker"`),
    find: (file) =>
      ['mirrors', 'configs'].flatMap((key) =>
        registryKey(file, key).flatMap(({ value }) =>
          entriesAt(value).flatMap(([name, entry]) => {
            const inner = mapAt(entry.value);
            const known = ['endpoint', 'rewrite', 'auth', 'tls'].some((field) => inner?.entries.has(field));
            const nested = [...(inner?.entries.values() ?? [])].some(({ value: below }) => below.kind === 'map');
            return nested && !known ? [{ line: entry.line, subject: `registry ${quoted(name)}` }] : [];
          }),
        ),
      ),
  },
  {
    ...COMMON,
    name: 'containerd-sandbox-image',
    effect: 'leak',
    key: 'sandbox_image, pinned_images.sandbox',
    happens: 'Each new node pulls the image of the pause container from the internet. Without it, no Pod starts.',
    remedy: 'Name the image at the edge, or write a hosts.toml for its registry.',
    source: containerd24(`${CONFIG}, pinned_images`),
    find: (file, context) =>
      criTables(file).flatMap(({ table }) =>
        [['sandbox_image'], ['pinned_images', 'sandbox']].flatMap((path) => {
          const image = textAt(table, ...path);
          const registry = image === undefined ? undefined : publicRegistryOf(image);
          if (image === undefined || registry === undefined || hasMirror(registry, file, context)) return [];
          return [{ line: entryAt(table, ...path)?.line ?? 1, subject: `image ${quoted(image)}` }];
        }),
      ),
  },
  {
    ...COMMON,
    name: 'containerd-config-path-missing',
    effect: 'bypass',
    key: 'registry.config_path',
    happens: 'None of the folders of config_path is there. Pulls bypass the edge.',
    remedy: 'Name the folder that has a folder for each registry: config_path = "/etc/containerd/certs.d".',
    source: containerd24(`${CONFIG}, Registry.ConfigPath`),
    find: (file, { exists }) =>
      registryKey(file, 'config_path').flatMap(({ line, value }) => {
        const text = value.kind === 'scalar' ? String(value.value) : '';
        const folders = text.split(':').filter((folder) => folder.startsWith('/') && !folder.includes('$'));
        const missing = folders.length > 0 && folders.every((folder) => exists(folder) === false);
        return missing ? [{ line, subject: `folder ${quoted(text)}` }] : [];
      }),
  },
];

function hasConfigPath(file: Parameters<Rule['find']>[0]): boolean {
  return registryKey(file, 'config_path').some(({ value }) => value.kind === 'scalar' && value.value !== '');
}
