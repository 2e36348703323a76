/** What a file is. Its format follows from that. */
export const FILE_KINDS = {
  'docker-daemon': { format: 'json', says: "dockerd's daemon.json" },
  'docker-auth': { format: 'json', says: "docker's config.json, DOCKER_AUTH_CONFIG, the kubelet's config.json" },
  'containers-auth': { format: 'json', says: 'auth.json of podman, skopeo, buildah and CRI-O' },
  'containerd-config': { format: 'toml', says: "containerd's config.toml" },
  'microk8s-template': { format: 'toml', says: "microk8s' containerd-template.toml" },
  'k3s-template': { format: 'text', says: "k3s' config.toml.tmpl and config-v3.toml.tmpl" },
  'containerd-hosts': { format: 'toml', says: 'hosts.toml of containerd, microk8s and k3s' },
  'k3s-registries': { format: 'yaml', says: 'registries.yaml of k3s and RKE2' },
  'k3s-config': { format: 'yaml', says: 'config.yaml of k3s and RKE2' },
  'registries-conf': { format: 'toml', says: 'registries.conf and registries.conf.d' },
  policy: { format: 'json', says: 'policy.json' },
  crio: { format: 'toml', says: 'crio.conf and crio.conf.d' },
  buildkit: { format: 'toml', says: 'buildkitd.toml' },
  'gitlab-runner': { format: 'toml', says: "GitLab Runner's config.toml" },
  'kubelet-credentials': { format: 'yaml', says: "the kubelet's credential provider configuration" },
  kubernetes: { format: 'yaml', says: 'Kubernetes manifests' },
  certificates: { format: 'text', says: 'a folder of certs.d for one registry' },
} as const satisfies Record<string, { format: 'toml' | 'json' | 'yaml' | 'text'; says: string }>;

export type FileKind = keyof typeof FILE_KINDS;

// The first pattern that matches a path decides. Paths start with a slash.
const PATTERNS: [RegExp, FileKind][] = [
  [/\/docker\/daemon\.json$|^\/daemon\.json$/, 'docker-daemon'],
  [/\/\.docker\/config\.json$|\/kubelet\/config\.json$|\/\.dockerconfigjson$|^\/config\.json$/, 'docker-auth'],
  [/\/containers\/(?:\d+\/)?auth\.json$|^\/auth\.json$/, 'containers-auth'],
  [/\/containers\/policy\.json$|^\/policy\.json$/, 'policy'],
  [/\/rancher\/[^/]+\/agent\/etc\/containerd\/config(-v3)?\.toml\.tmpl$|^\/config(-v3)?\.toml\.tmpl$/, 'k3s-template'],
  [/\/containerd\/(conf\.d\/[^/]+|config)\.toml$/, 'containerd-config'],
  [/\/containerd-template\.toml$/, 'microk8s-template'],
  [/\/hosts\.toml$/, 'containerd-hosts'],
  [/\/registries\.yaml$/, 'k3s-registries'],
  [/\/rancher\/(k3s|rke2)\/config\.yaml(\.d\/[^/]+\.ya?ml)?$/, 'k3s-config'],
  [/\/registries\.conf$|\/registries(\.root(ful|less))?\.conf\.d\/(?:\d+\/)?[^/]+$/, 'registries-conf'],
  [/\/crio\.conf$|\/crio\.conf\.d\/[^/]+$/, 'crio'],
  [/\/buildkitd(\.default)?\.toml$/, 'buildkit'],
  [/\/\.?gitlab-runner\/config\.toml$/, 'gitlab-runner'],
  [/\/certs(\.root(ful|less))?\.d\/[^/]+\/[^/]+$/, 'certificates'],
];

/** What a file is by its path; undefined for a file that is not read, or one that only its content tells. */
export function kindOfPath(path: string): FileKind | undefined {
  return PATTERNS.find(([pattern]) => pattern.test(path))?.[1];
}

/** Whether only the content of a file tells what it is. */
export function mayBeManifest(path: string): boolean {
  return /\.(ya?ml|json)$/.test(path);
}

// A key at the beginning of a line, or in JSON on one line.
// A space is never one of a following line, which would make a search take the square of the length.
const PROVIDERS = /(?:^|[{,])[ \t]*"?kind"?:[ \t]*"?CredentialProviderConfig\b/m;
const OBJECT = /(?:^|[{,])[ \t]*(?:-[ \t]+)?"?kind"?:[ \t]*"?[A-Z]/m;
const VERSIONED = /(?:^|[{,])[ \t]*(?:-[ \t]+)?"?apiVersion"?:/m;
const CONCERNS_IMAGES = /dockerconfigjson|dockercfg|imagePullSecrets|\bimage"?:/;

// Templates of Helm are no YAML yet.
const TEMPLATE = /(?:^|:)[ \t]*\{\{/m;

/** What a file is by its content; undefined if it says nothing about images. */
export function kindOfContent(text: string): FileKind | undefined {
  if (TEMPLATE.test(text)) return undefined;
  if (PROVIDERS.test(text)) return 'kubelet-credentials';
  if (OBJECT.test(text) && VERSIONED.test(text) && CONCERNS_IMAGES.test(text)) return 'kubernetes';
  return undefined;
}

/** `config.toml` alone, or under another name: which program it belongs to. */
export function kindOfToml(text: string): FileKind | undefined {
  if (/^[ \t]*\[\[runners\]\]/m.test(text)) return 'gitlab-runner';
  if (/^[ \t]*\[host\.|^[ \t]*server[ \t]*=/m.test(text)) return 'containerd-hosts';
  if (/^[ \t]*\[plugins\b|^[ \t]*version[ \t]*=[ \t]*[1-4][ \t]*(#.*)?$/m.test(text)) return 'containerd-config';
  if (/^[ \t]*\[\[registry\]\]|^[ \t]*unqualified-search-registries\b|^[ \t]*\[registries\./m.test(text))
    return 'registries-conf';
  if (/^[ \t]*\[crio\b/m.test(text)) return 'crio';
  if (/^[ \t]*\[registry\.|^[ \t]*\[worker\b/m.test(text)) return 'buildkit';
  return undefined;
}
