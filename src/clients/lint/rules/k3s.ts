import { type Entry, entriesAt, entryAt, isTrue, mapAt, textsAt } from '../document.ts';
import { hostOf, isBehindEdge, isEdge, isLoopback, isPublic, mayBeEdge, pathOf, quoted } from '../registry-name.ts';
import type { Hit, LintContext, ParsedFile, Rule } from '../rule.ts';
import { k3s, k3sDocs, wharfie } from './sources.ts';

const TYPES = 'pkg/registries/types.go';
const AGENT = 'pkg/agent/containerd/config.go';
const PAGE = 'docs/installation/private-registry.md';
const COMMON: Pick<Rule, 'program' | 'alsoIn' | 'kinds'> = {
  program: 'k3s',
  alsoIn: ['RKE2'],
  kinds: ['k3s-registries'],
};

interface Mirror {
  name: string;
  line: number;
  endpoints: { text: string; line: number }[];
}

function mirrors(file: ParsedFile): Mirror[] {
  return entriesAt(file.documents[0], 'mirrors').map(([name, { line, value }]) => ({
    name,
    line,
    endpoints: textsAt(value, 'endpoint'),
  }));
}

function configs(file: ParsedFile): [string, Entry][] {
  return entriesAt(file.documents[0], 'configs');
}

/** Settings of a mirrored registry that its endpoints do not get: k3s looks for them below the endpoint's host. */
function misplaced(file: ParsedFile, key: 'auth' | 'tls'): Hit[] {
  const names = new Set(configs(file).map(([name]) => name.toLowerCase()));
  return mirrors(file).flatMap(({ name, endpoints }) => {
    const config = entryAt(file.documents[0], 'configs', name);
    const entry = entryAt(config?.value, key);
    const others = endpoints.map(({ text }) => hostOf(text)).filter((host) => host !== name);
    const isUsed = others.length === 0 || others.some((host) => names.has(host));
    return entry && !isUsed ? [{ line: entry.line, subject: `registry ${quoted(name)}` }] : [];
  });
}

const KNOWN = {
  top: ['mirrors', 'configs', 'auths'],
  mirror: ['endpoint', 'rewrite'],
  config: ['auth', 'tls'],
  // `token` has a rule of its own.
  auth: ['username', 'password', 'auth', 'identity_token', 'token'],
  tls: ['ca_file', 'cert_file', 'key_file', 'insecure_skip_verify'],
};

function unknownKeys(entry: Entry | undefined, known: readonly string[]): Hit[] {
  return entriesAt(entry?.value)
    .filter(([key]) => !known.includes(key))
    .map(([key, { line }]) => ({ line, subject: `key ${quoted(key)}` }));
}

/** registries.yaml of k3s and RKE2, and their templates for containerd. */
export const K3S_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'k3s-auth-place',
    effect: 'credentials',
    key: 'configs.*.auth',
    happens:
      'k3s uses credentials only for the host below whose name they stand. The endpoint of this mirror gets none.',
    remedy: 'Write the credentials below configs."HOST OF THE ENDPOINT".',
    source: k3s(`${AGENT}, configForHost`),
    find: (file) => misplaced(file, 'auth'),
  },
  {
    ...COMMON,
    name: 'k3s-tls-place',
    effect: 'ca',
    key: 'configs.*.tls',
    happens:
      'k3s uses a CA only for the host below whose name it stands. It ignores the CA for the endpoint of this mirror.',
    remedy: 'Write tls below configs."HOST OF THE ENDPOINT".',
    source: k3s(`${AGENT}, configForHost`),
    find: (file) => misplaced(file, 'tls'),
  },
  {
    ...COMMON,
    name: 'k3s-config-url',
    effect: 'credentials',
    key: 'configs',
    happens:
      'k3s looks for the host of the endpoint alone, and never finds this entry. Credentials and CA are ignored.',
    remedy: 'Write the host as in the endpoint: without https://, without a path, and with its port.',
    source: k3s(`${AGENT}, configForHost`),
    find: (file) =>
      configs(file)
        .filter(([name]) => /:\/\/|\//.test(name))
        .map(([name, { line }]) => ({ line, subject: `entry ${quoted(name)}` })),
  },
  {
    ...COMMON,
    name: 'k3s-config-port',
    effect: 'credentials',
    key: 'configs',
    happens: 'The endpoint has another port than this entry. k3s does not use its credentials and CA for the endpoint.',
    remedy: 'Write the host with the port of the endpoint.',
    source: k3s(`${AGENT}, configForHost`),
    find: (file) => {
      const hosts = mirrors(file).flatMap(({ endpoints }) => endpoints.map(({ text }) => hostOf(text)));
      const bare = (host: string) => host.replace(/:\d+$/, '');
      const named = new Set(mirrors(file).map(({ name }) => name));
      return configs(file)
        .filter(([name]) => !/\//.test(name) && !named.has(name) && !hosts.includes(name.toLowerCase()))
        .filter(([name]) => hosts.some((host) => bare(host) === bare(name.toLowerCase())))
        .map(([name, { line }]) => ({ line, subject: `entry ${quoted(name)}` }));
    },
  },
  {
    ...COMMON,
    name: 'k3s-auths',
    effect: 'credentials',
    key: 'auths',
    happens: 'k3s writes nothing of auths into the configuration of containerd. Pulls have no user.',
    remedy: 'Write configs."HOST".auth.',
    source: k3s(`${AGENT}, getHostConfigs`),
    find: (file) => {
      const entry = entryAt(file.documents[0], 'auths');
      return entry ? [{ line: entry.line }] : [];
    },
  },
  {
    ...COMMON,
    name: 'k3s-token',
    effect: 'credentials',
    key: 'configs.*.auth.token',
    happens:
      'The documentation of k3s names token, but k3s knows username, password, auth and identity_token. Pulls have no user.',
    remedy: 'Write username and password.',
    source: wharfie(`${TYPES}, AuthConfig`),
    find: (file) =>
      configs(file).flatMap(([name, { value }]) => {
        const entry = entryAt(value, 'auth', 'token');
        return entry ? [{ line: entry.line, subject: `registry ${quoted(name)}` }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'k3s-unknown-key',
    effect: 'bypass',
    key: 'any',
    happens: 'k3s ignores a key that it does not know, without a word.',
    remedy: 'Write mirrors.*.endpoint, mirrors.*.rewrite, configs.*.auth and configs.*.tls.',
    source: wharfie(TYPES),
    find: (file) => {
      const root = file.documents[0];
      const top = root ? unknownKeys({ line: 1, value: root }, KNOWN.top) : [];
      const inner = entriesAt(root, 'mirrors').flatMap(([, entry]) => unknownKeys(entry, KNOWN.mirror));
      const below = configs(file).flatMap(([, entry]) => [
        ...unknownKeys(entry, KNOWN.config),
        ...unknownKeys(entryAt(entry.value, 'auth'), KNOWN.auth),
        ...unknownKeys(entryAt(entry.value, 'tls'), KNOWN.tls),
      ]);
      return [...top, ...inner, ...below];
    },
  },
  {
    ...COMMON,
    name: 'k3s-endpoint-path',
    effect: 'bypass',
    key: 'mirrors.*.endpoint',
    happens:
      'k3s takes a path as the whole path of the API. Requests without /v2 miss it, and the registry itself is asked.',
    remedy: 'Write the name alone, or a path that begins with /v2/.',
    source: k3s(`${AGENT}, normalizeEndpointAddress`),
    find: (file) =>
      mirrors(file).flatMap(({ endpoints }) =>
        endpoints
          .filter(({ text }) => pathOf(text) !== '' && !/\/v2(\/|$)/.test(pathOf(text)))
          .map(({ text, line }) => ({ line, subject: `endpoint ${quoted(text)}` })),
      ),
  },
  {
    ...COMMON,
    name: 'k3s-leak',
    effect: 'leak',
    key: 'mirrors',
    happens: 'If the endpoints fail, containerd asks the registry itself, in the internet.',
    remedy: 'Write disable-default-registry-endpoint: true into config.yaml of k3s, on every node.',
    source: k3sDocs(`${PAGE}, Default Endpoint Fallback`),
    find: (file, { files }) => {
      const off = files.some(
        ({ kind, documents }) =>
          kind === 'k3s-config' && isTrue(entryAt(documents[0], 'disable-default-registry-endpoint')?.value),
      );
      return off
        ? []
        : mirrors(file)
            .filter(({ name, endpoints }) => endpoints.length > 0 && (name === '*' || isPublic(name)))
            .map(({ name, line }) => ({ line, subject: `registry ${quoted(name)}` }));
    },
  },
  {
    ...COMMON,
    name: 'k3s-http',
    effect: 'clear-text',
    key: 'mirrors.*.endpoint',
    happens:
      'containerd speaks plain HTTP with this endpoint: images can be changed on the way, and credentials are read.',
    remedy: 'Write https://, and name a private CA with configs.*.tls.ca_file.',
    source: k3sDocs(`${PAGE}, Without TLS`),
    find: (file) =>
      mirrors(file).flatMap(({ endpoints }) =>
        endpoints
          .filter(({ text }) => /^http:\/\//i.test(text) && !isLoopback(hostOf(text)))
          .map(({ text, line }) => ({ line, subject: `endpoint ${quoted(text)}` })),
      ),
  },
  {
    ...COMMON,
    name: 'k3s-skip-verify',
    effect: 'ca',
    key: 'configs.*.tls.insecure_skip_verify',
    happens:
      'containerd accepts any certificate. Another machine can serve images in its name, and read the credentials.',
    remedy: 'Remove insecure_skip_verify, and name the CA with ca_file.',
    source: k3sDocs(`${PAGE}, Configs`),
    find: (file) =>
      configs(file).flatMap(([name, { value }]) => {
        const entry = entryAt(value, 'tls', 'insecure_skip_verify');
        return isTrue(entry?.value) ? [{ line: entry?.line ?? 1, subject: `registry ${quoted(name)}` }] : [];
      }),
  },
  {
    ...COMMON,
    name: 'k3s-edge-not-first',
    effect: 'bypass',
    key: 'mirrors.*.endpoint',
    happens:
      'Endpoints are asked in the order of the file. This one is asked before the edge, for up to 30 s if it hangs.',
    remedy: 'Write the edge first.',
    source: k3sDocs(`${PAGE}, Mirrors`),
    find: (file, context) =>
      mirrors(file).flatMap(({ endpoints }) => {
        const place = endpoints.findIndex(({ text }) => isEdge(hostOf(text), context));
        return endpoints
          .slice(0, Math.max(0, place))
          .map(({ text, line }) => ({ line, subject: `endpoint ${quoted(text)}` }));
      }),
  },
  {
    ...COMMON,
    name: 'k3s-no-edge',
    effect: 'bypass',
    key: 'mirrors.*.endpoint',
    happens: 'Pulls of these images do not go through the edge, because none of the endpoints is the edge.',
    remedy: 'Write the edge as first endpoint.',
    source: k3sDocs(`${PAGE}, Mirrors`),
    find: (file, context) => withoutEdge(file, context),
  },
  {
    ...COMMON,
    kinds: ['k3s-template'],
    name: 'k3s-template-base',
    effect: 'bypass',
    key: 'file',
    happens:
      'A template that does not extend the one of k3s has none of the settings of registries.yaml, unless it repeats them.',
    remedy: 'Begin the file with {{ template "base" . }}, and add only what is your own.',
    source: k3s(`${AGENT}, warnMissingRegistryAuth`),
    find: ({ text }) => (/\{\{-?\s*template\s+"base"/.test(text) || /config_path/.test(text) ? [] : [{ line: 1 }]),
  },
];

function withoutEdge(file: ParsedFile, context: LintContext): Hit[] {
  if (context.edges.length === 0 || !mapAt(file.documents[0], 'mirrors')) return [];
  return mirrors(file)
    .filter(({ name, endpoints }) => endpoints.length > 0 && (name === '*' || isBehindEdge(name, context)))
    .filter(({ endpoints }) => !endpoints.some(({ text }) => mayBeEdge(hostOf(text), context)))
    .map(({ name, line }) => ({ line, subject: `registry ${quoted(name)}` }));
}
