import { entriesAt, entryAt, itemsAt, type Located, textAt, textsAt } from '../document.ts';
import { hostOf, isEdge, quoted, registryOfImage } from '../registry-name.ts';
import type { Hit, LintContext, ParsedFile, Rule } from '../rule.ts';
import { imagesOf, isBase64, secretJson, secretsOf } from './kubernetes-objects.ts';
import { kubelet, kubernetes } from './sources.ts';

const CONFIG = 'config/v1/types.go, CredentialProvider';
const VALIDATE = 'pkg/credentialprovider/plugin/config.go, validateCredentialProviderConfig';
const PROVIDER: Pick<Rule, 'program' | 'kinds' | 'effect'> = {
  program: 'kubernetes',
  kinds: ['kubelet-credentials'],
  effect: 'broken',
};
const OBJECT: Pick<Rule, 'program' | 'kinds' | 'effect'> = {
  program: 'kubernetes',
  kinds: ['kubernetes'],
  effect: 'credentials',
};

function providers(file: ParsedFile): Located[] {
  return file.documents.flatMap((document) => itemsAt(document, 'providers'));
}

function nameHit(provider: Located, line = provider.line): Hit {
  return { line, subject: `provider ${quoted(textAt(provider, 'name') ?? '')}` };
}

/** Whether a pattern of matchImages can match the host of an image. Each `*` stands within one part. */
function matchesHost(pattern: string, host: string): boolean {
  const left = hostOf(pattern).split('.');
  const right = host.split('.');
  return left.length === right.length && left.every((part, index) => matchesPart(part, right[index] ?? ''));
}

/** Without a regular expression, which many `*` would make slow. */
function matchesPart(pattern: string, text: string): boolean {
  const pieces = pattern.split('*');
  const [first = ''] = pieces;
  const last = pieces.at(-1) ?? '';
  if (pieces.length === 1) return pattern === text;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let place = first.length;
  const end = text.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, place);
    if (found < 0 || found + piece.length > end) return false;
    place = found + piece.length;
  }
  return true;
}

/** A pattern up to its port or path. */
function hostname(pattern: string): string {
  return /^([a-z]+:\/\/)?[^:/]*/.exec(pattern)?.[0] ?? '';
}

function matching(file: ParsedFile, hosts: readonly string[]): { text: string; line: number }[] {
  const patterns = providers(file).flatMap((provider) => textsAt(provider, 'matchImages'));
  return patterns.filter(({ text }) => hosts.some((host) => matchesHost(text, host)));
}

/** The kubelet's credential providers, and secrets and images in manifests. */
export const KUBERNETES_RULES: Rule[] = [
  {
    ...PROVIDER,
    name: 'kubelet-api-version',
    key: 'providers.*.apiVersion',
    happens: 'The kubelet knows v1, v1beta1 and v1alpha1 of credentialprovider.kubelet.k8s.io. It does not start.',
    remedy: 'Write apiVersion: credentialprovider.kubelet.k8s.io/v1.',
    source: kubernetes(VALIDATE),
    find: (file) =>
      providers(file)
        .filter(
          (provider) =>
            !/^credentialprovider\.kubelet\.k8s\.io\/v1(beta1|alpha1)?$/.test(textAt(provider, 'apiVersion') ?? ''),
        )
        .map((provider) => nameHit(provider, entryAt(provider, 'apiVersion')?.line)),
  },
  {
    ...PROVIDER,
    name: 'kubelet-cache-duration',
    key: 'providers.*.defaultCacheDuration',
    happens: 'defaultCacheDuration is missing. The kubelet does not start.',
    remedy: 'Write defaultCacheDuration: "12h".',
    source: kubernetes(VALIDATE),
    find: (file) =>
      providers(file)
        .filter((provider) => !entryAt(provider, 'defaultCacheDuration'))
        .map((provider) => nameHit(provider)),
  },
  {
    ...PROVIDER,
    name: 'kubelet-no-images',
    key: 'providers.*.matchImages',
    happens: 'matchImages is missing or empty. The kubelet does not start.',
    remedy: 'Write the name of the edge into matchImages.',
    source: kubernetes(VALIDATE),
    find: (file) =>
      providers(file)
        .filter((provider) => itemsAt(provider, 'matchImages').length === 0)
        .map((provider) => nameHit(provider, entryAt(provider, 'matchImages')?.line)),
  },
  {
    ...PROVIDER,
    name: 'kubelet-glob',
    effect: 'credentials',
    key: 'providers.*.matchImages',
    happens: 'A * is only understood in the domain, not in the port or the path. The provider is never asked.',
    remedy: 'Remove the path, because it is a prefix anyway, and write the port out.',
    source: kubelet(CONFIG),
    find: (file) =>
      providers(file).flatMap((provider) =>
        textsAt(provider, 'matchImages')
          .filter(({ text }) => text.slice(hostname(text).length).includes('*'))
          .map(({ text, line }) => ({ line, subject: `pattern ${quoted(text)}` })),
      ),
  },
  {
    ...PROVIDER,
    name: 'kubelet-no-edge',
    effect: 'credentials',
    key: 'providers.*.matchImages',
    happens:
      'The provider is asked for a registry behind the edge, but not for images with the name of the edge. They are pulled without a user.',
    remedy: 'Add the name of the edge to matchImages, if the provider has credentials for it.',
    source: kubelet(CONFIG),
    find: (file, context) =>
      context.edges.length === 0 || matching(file, context.edges).length > 0
        ? []
        : matching(file, context.upstreamHosts).map(({ text, line }) => ({ line, subject: `pattern ${quoted(text)}` })),
  },
  {
    ...OBJECT,
    name: 'kubernetes-secret-type',
    key: 'type',
    happens:
      'The kubelet uses a secret for pulls only if its type is kubernetes.io/dockerconfigjson. It ignores this one.',
    remedy:
      'Write type: kubernetes.io/dockerconfigjson. The type of a secret that is there cannot be changed: delete it first.',
    source: kubernetes('pkg/credentialprovider/secrets/secrets.go'),
    find: (file) =>
      secretsOf(file)
        .filter(({ node, type }) => hasKey(node, '.dockerconfigjson') && type !== 'kubernetes.io/dockerconfigjson')
        .map(({ node, name }) => ({
          line: entryAt(node, 'type')?.line ?? node.line,
          subject: `secret ${quoted(name)}`,
        })),
  },
  {
    ...OBJECT,
    name: 'kubernetes-secret-key',
    key: 'data',
    happens: 'A secret of this type needs the key .dockerconfigjson. The API server refuses it.',
    remedy: 'Make it with kubectl create secret docker-registry.',
    source: kubernetes('pkg/apis/core/validation/validation.go, ValidateSecret'),
    find: (file) =>
      secretsOf(file)
        .filter(({ node, type }) => type === 'kubernetes.io/dockerconfigjson' && !hasKey(node, '.dockerconfigjson'))
        .map(({ node, name }) => ({
          line: entryAt(node, 'data')?.line ?? node.line,
          subject: `secret ${quoted(name)}`,
        })),
  },
  {
    ...OBJECT,
    name: 'kubernetes-secret-broken',
    key: 'data[".dockerconfigjson"]',
    happens: 'The value is no base64 of JSON. The API server refuses the secret.',
    remedy: 'Make it with kubectl create secret docker-registry, or write the JSON below stringData.',
    source: kubernetes('pkg/apis/core/validation/validation.go, ValidateSecret'),
    find: (file) =>
      secretsOf(file).flatMap(({ node, name }) => {
        const entry = entryAt(node, 'data', '.dockerconfigjson') ?? entryAt(node, 'stringData', '.dockerconfigjson');
        const json = secretJson(node);
        const good =
          json !== undefined && isBase64(textAt(node, 'data', '.dockerconfigjson') ?? '') && isJson(json.text);
        return entry && !good ? [{ line: entry.line, subject: `secret ${quoted(name)}` }] : [];
      }),
  },
  {
    ...OBJECT,
    name: 'kubernetes-image-upstream',
    effect: 'bypass',
    key: 'image',
    happens: 'The image names a registry behind the edge. Its pulls go there directly, and fail with it.',
    remedy: 'Write the name of the edge in place of this registry.',
    source: kubelet(CONFIG),
    find: (file, context) => namesUpstream(file, context),
  },
];

function hasKey(secret: Located, key: string): boolean {
  return ['data', 'stringData'].some((part) => entriesAt(secret, part).some(([name]) => name === key));
}

function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

function namesUpstream(file: ParsedFile, context: LintContext): Hit[] {
  return imagesOf(file)
    .filter(
      ({ text }) => context.upstreamHosts.includes(registryOfImage(text)) && !isEdge(registryOfImage(text), context),
    )
    .map(({ text, line }) => ({ line, subject: `image ${quoted(text)}` }));
}
