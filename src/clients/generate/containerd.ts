import type { Edit, Generated, Request, SharedPart } from './generated.ts';
import { headerOf } from './generated.ts';
import { hostsNotes, hostsTree } from './hosts-toml.ts';
import { isAtLeast } from './version.ts';

const FOLDER = '/etc/containerd/certs.d';
/** containerd 1.6 and 1.7, and what containerd 2 still reads in a file with `version = 2`. */
const OLD_PLUGIN = ['plugins', 'io.containerd.grpc.v1.cri', 'registry'];
/** containerd 2 (docs/containerd-2.0.md and docs/cri/registry.md, https://github.com/containerd/containerd, 2026-11-30). */
const NEW_PLUGIN = ['plugins', 'io.containerd.cri.v1.images', 'registry'];
/** `hostFileConfig` of core/remotes/docker/config/hosts.go has it since 2.1.0 (https://github.com/containerd/containerd, 2026-11-30). */
const DIAL_TIMEOUT_SINCE = '2.1';

/** containerd of a node, with the kubelet, `crictl`, `nerdctl` or `ctr --hosts-dir`. */
export function containerdFiles({ site, version = '1.6' }: Request): Generated {
  const dialTimeout = isAtLeast(version, DIAL_TIMEOUT_SINCE);
  return {
    files: [
      ...hostsTree(site, { kind: 'containerd', folder: FOLDER, dialTimeout }),
      { path: '/etc/containerd/config.toml', content: configPart(site.host, version) },
    ],
    notes: [
      ...hostsNotes(site),
      ...(dialTimeout
        ? []
        : [
            `containerd ${version} has no dial_timeout: if the machine of the edge is gone, it waits 30 s before it asks the next host. Give the edge a VIP.`,
          ]),
      'Restart containerd once, when config.toml has changed. It reads certs.d anew at each pull.',
      `\`ctr\` reads these files only with \`--hosts-dir ${FOLDER}\`.`,
      ...(site.mirrors.length > 0
        ? ['imagePullSecrets are not sent to a mirror: what the edge serves as a mirror must be open to the nodes.']
        : []),
    ],
  };
}

function configPart(host: string, version: string): SharedPart {
  const isNew = isAtLeast(version, '2');
  const fileVersion: Edit = { path: ['version'], value: isNew ? 3 : 2, how: 'default' };
  const editsOf = (plugin: string[]): Edit[] => [
    fileVersion,
    { path: [...plugin, 'config_path'], value: FOLDER, how: 'folder' },
  ];
  return {
    format: 'toml',
    comment: [headerOf('containerd', host)],
    edits: editsOf(isNew ? NEW_PLUGIN : OLD_PLUGIN),
    editsByVersion: {
      2: editsOf(OLD_PLUGIN),
      ...(isNew ? { 3: editsOf(NEW_PLUGIN), 4: editsOf(NEW_PLUGIN) } : {}),
    },
    conflicts: [OLD_PLUGIN, NEW_PLUGIN].flatMap((plugin) => [
      {
        path: [...plugin, 'mirrors', '*'],
        says: `cannot stand beside config_path: containerd does not start. Move it to a hosts.toml in ${FOLDER}.`,
      },
      {
        path: [...plugin, 'configs', '*', 'tls'],
        says: `cannot stand beside config_path: containerd does not start. Move it to a hosts.toml in ${FOLDER}.`,
      },
    ]),
  };
}
