import type { Generated, Request } from './generated.ts';
import { hostsNotes, hostsTree } from './hosts-toml.ts';

/** Its containerd has this folder as `config_path` (https://microk8s.io/docs/registry-private, 2026-11-30). */
const FOLDER = '/var/snap/microk8s/current/args/certs.d';

/** microk8s: the tree of containerd, and nothing else. */
export function microk8sFiles({ site }: Request): Generated {
  return {
    files: hostsTree(site, { kind: 'microk8s', folder: FOLDER, dialTimeout: false }),
    notes: [
      ...hostsNotes(site),
      'microk8s reads these files anew at each pull. Every node of the cluster needs them.',
      'If the machine of the edge is gone, containerd waits 30 s before it asks the next host. Give the edge a VIP.',
      ...(site.mirrors.some(({ registry }) => registry === 'docker.io')
        ? ['microk8s brings a hosts.toml for docker.io of its own: --force replaces it, and keeps a copy.']
        : []),
    ],
  };
}
