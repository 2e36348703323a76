import { entriesAt, entryAt, itemsAt, textAt } from '../document.ts';
import { isPublic, quoted, registryOfImage } from '../registry-name.ts';
import type { Rule } from '../rule.ts';
import { registries } from './registries-conf.ts';
import { containersImage, crio } from './sources.ts';

const POLICY: Pick<Rule, 'program' | 'alsoIn' | 'kinds' | 'effect'> = {
  program: 'podman',
  alsoIn: ['skopeo', 'buildah', 'CRI-O'],
  kinds: ['policy'],
  effect: 'broken',
};
const CRIO: Pick<Rule, 'program' | 'kinds'> = { program: 'cri-o', kinds: ['crio'] };

/** policy.json, which decides which signatures images need, and crio.conf. */
export const POLICY_AND_CRIO_RULES: Rule[] = [
  {
    ...POLICY,
    name: 'policy-no-default',
    key: 'default',
    happens: 'Without default, the file is refused. Every pull fails, of any image.',
    remedy: 'Add "default": [{"type": "insecureAcceptAnything"}], or a stricter one.',
    source: containersImage('docs/containers-policy.json.5.md', 'skopeo 1.9.3 says: Default policy is missing'),
    find: (file) => (entryAt(file.documents[0], 'default') ? [] : [{ line: 1 }]),
  },
  {
    ...POLICY,
    name: 'policy-unknown-key',
    key: 'any',
    happens: 'A key that is not known makes the file refused. Every pull fails, of any image.',
    remedy: 'Remove the key. Only default and transports are known.',
    source: containersImage('docs/containers-policy.json.5.md', 'skopeo 1.9.3 says: Unknown key'),
    find: (file) =>
      entriesAt(file.documents[0])
        .filter(([key]) => key !== 'default' && key !== 'transports')
        .map(([key, { line }]) => ({ line, subject: `key ${quoted(key)}` })),
  },
  {
    ...POLICY,
    name: 'policy-rejects-edge',
    key: 'transports.docker',
    happens: 'The default refuses images, and there is no entry for the edge. Every pull from the edge fails.',
    remedy: 'Add an entry for the edge below transports.docker.',
    source: containersImage('docs/containers-policy.json.5.md'),
    find: (file, { edges }) => {
      const entry = entryAt(file.documents[0], 'default');
      const rejects = itemsAt(file.documents[0], 'default').some((one) => textAt(one, 'type') === 'reject');
      const scopes = entriesAt(file.documents[0], 'transports', 'docker').map(([scope]) => scope);
      const covered = edges.some((edge) => scopes.some((scope) => covers(scope, edge)));
      return entry && rejects && edges.length > 0 && !covered ? [{ line: entry.line }] : [];
    },
  },
  {
    ...CRIO,
    name: 'crio-insecure-registries',
    effect: 'removed',
    versions: { from: '1.35' },
    key: 'crio.image.insecure_registries',
    happens: 'The key has no effect any more. Pulls from these registries fail with an unknown authority.',
    remedy: 'Put the CA into /etc/containers/certs.d/REGISTRY/ca.crt.',
    source: crio('docs/crio.conf.5.md'),
    find: (file) => {
      const entry = entryAt(file.documents[0], 'crio', 'image', 'insecure_registries');
      return entry && entry.value.kind === 'list' && entry.value.items.length > 0 ? [{ line: entry.line }] : [];
    },
  },
  {
    ...CRIO,
    name: 'crio-registries',
    effect: 'removed',
    key: 'crio.image.registries',
    happens:
      'The key has no effect. Images without a registry in their name are pulled from where registries.conf says.',
    remedy: 'Write unqualified-search-registries in /etc/containers/registries.conf.',
    source: crio('pkg/config/config.go; commit 82af00dd29 removed the key'),
    find: (file) => {
      const entry = entryAt(file.documents[0], 'crio', 'image', 'registries');
      return entry ? [{ line: entry.line }] : [];
    },
  },
  {
    ...CRIO,
    name: 'crio-pause-image',
    effect: 'leak',
    key: 'crio.image.pause_image',
    happens: 'Each new node pulls the image of the pause container from the internet. Without it, no Pod starts.',
    remedy: 'Name the image at the edge, or write a [[registry]] with the edge as mirror for its registry.',
    source: crio('docs/crio.conf.5.md'),
    find: (file, { files }) => {
      const image = textAt(file.documents[0], 'crio', 'image', 'pause_image');
      if (image === undefined || !isPublic(registryOfImage(image))) return [];
      const known = files.filter(({ kind }) => kind === 'registries-conf').flatMap(registries);
      const registry = registryOfImage(image);
      if (known.some(({ name, mirrors }) => name === registry && mirrors.length > 0)) return [];
      const line = entryAt(file.documents[0], 'crio', 'image', 'pause_image')?.line ?? 1;
      return [{ line, subject: `image ${quoted(image)}` }];
    },
  },
];

/** Whether a scope of policy.json holds for all or some images of a registry. */
function covers(scope: string, edge: string): boolean {
  if (scope === '' || scope === edge || scope.startsWith(`${edge}/`)) return true;
  return scope.startsWith('*.') && edge.endsWith(scope.slice(1));
}
