import { join } from 'node:path';
import { command, type Finished, tryCommand } from '../helpers/command.ts';
import { Docker } from '../helpers/docker.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { BUILT_APART, findBuiltTool, missing, tool } from '../helpers/tool.ts';
import { NodeBuildkit } from './node-buildkit.ts';
import { NodeContainerd } from './node-containerd.ts';
import type { NodeFiles } from './node-files.ts';

/** A program on a node. */
export interface Puller {
  tryPull(image: string): Promise<Finished>;
}

export interface ProgramKind {
  /** Kind of `breakwater client`. */
  kind: string;
  /** What pulls, for a person. */
  by: string;
  tools: readonly string[];
  /** It is built, and kept apart from what the machine has installed. */
  built?: 'containerd' | 'buildkitd';
  /** The version, as the program tells it. */
  version(): Promise<string>;
  /** It pulls mirrored images from a path of the edge. */
  withPrefix: boolean;
  /** It can have a second host. */
  withFallback: boolean;
  /** Options of `breakwater client` for this program. */
  options?: readonly string[];
  start(owner: Owner, node: NodeFiles, install: () => Promise<void>): Promise<Puller>;
}

/** Every program, in the order of the page. */
export const PROGRAMS: Readonly<Record<string, ProgramKind>> = {
  docker: {
    kind: 'docker',
    by: 'dockerd',
    tools: ['docker', 'dockerd', 'unshare'],
    version: () => versionOf('dockerd'),
    withPrefix: false,
    withFallback: false,
    start: async (owner, node, install) => {
      await install();
      return new Docker(owner, join(node.root, 'etc')).start();
    },
  },
  'containerd 1.6': containerd('containerd', 'crictl', undefined),
  'containerd 1.6, ctr': containerd('containerd', 'ctr', undefined),
  'containerd 2': containerd('containerd', 'crictl', 'containerd'),
  'containerd 2, ctr': containerd('containerd', 'ctr', 'containerd'),
  microk8s: {
    ...containerd('microk8s', 'crictl', undefined),
    by: 'containerd 1.6 with config_path on the tree, crictl',
  },
  kubernetes: containerd('kubernetes', 'crictl', 'containerd'),
  podman: {
    kind: 'podman',
    by: 'podman',
    tools: ['podman', 'unshare'],
    version: () => versionOf('podman'),
    withPrefix: true,
    withFallback: true,
    start: async (owner, node, install) => {
      await install();
      const folder = temporaryFolder(owner);
      node.write('etc/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
      const global = [
        ...[`--root=${join(folder, 'root')}`, `--runroot=${join(folder, 'run')}`, `--tmpdir=${join(folder, 'tmp')}`],
        ...['--storage-driver=vfs', '--runtime=runc', '--cgroup-manager=cgroupfs', '--events-backend=none'],
      ];
      const tryPull = (image: string) => node.try(tool('podman'), [...global, 'pull', '--quiet', image]);
      return { tryPull };
    },
  },
  skopeo: {
    kind: 'skopeo',
    by: 'skopeo',
    tools: ['skopeo', 'unshare'],
    version: () => versionOf('skopeo'),
    withPrefix: true,
    withFallback: true,
    start: async (owner, node, install) => {
      await install();
      const folder = temporaryFolder(owner);
      let pulls = 0;
      return {
        tryPull: (image) => {
          pulls += 1;
          const to = `oci:${join(folder, `${pulls}`)}:latest`;
          return node.try(tool('skopeo'), ['--insecure-policy', 'copy', '--quiet', `docker://${image}`, to]);
        },
      };
    },
  },
  buildah: {
    kind: 'buildah',
    by: 'buildah',
    tools: ['buildah', 'unshare'],
    version: () => versionOf('buildah'),
    withPrefix: true,
    withFallback: true,
    start: async (owner, node, install) => {
      await install();
      const folder = temporaryFolder(owner);
      node.write('etc/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
      const global = [`--root=${join(folder, 'root')}`, `--runroot=${join(folder, 'run')}`, '--storage-driver=vfs'];
      return { tryPull: (image) => node.try(tool('buildah'), [...global, 'pull', '--quiet', image]) };
    },
  },
  buildkit: {
    kind: 'buildkit',
    by: 'buildkitd',
    tools: ['unshare', 'runc'],
    built: 'buildkitd',
    version: async () => BUILT_APART.buildkitd.slice(1),
    withPrefix: true,
    withFallback: true,
    start: async (owner, node, install) => {
      await install();
      return new NodeBuildkit(owner, node, findBuiltTool('buildkitd') ?? '').start();
    },
  },
};

function containerd(kind: string, by: 'crictl' | 'ctr', built: 'containerd' | undefined): ProgramKind {
  return {
    kind,
    by: by === 'ctr' ? 'ctr --hosts-dir' : 'crictl',
    tools: ['unshare', 'crictl', ...(built === undefined ? ['containerd', 'ctr'] : [])],
    ...(built === undefined ? {} : { built }),
    version: async () => firstNumber(await command(daemon(built), ['--version'])),
    withPrefix: true,
    withFallback: true,
    start: async (owner, node, install) => {
      const started = new NodeContainerd(owner, node, { daemon: daemon(built), isNew: built !== undefined, kind, by });
      await install();
      return started.start();
    },
  };
}

function daemon(built: 'containerd' | undefined): string {
  const path = built === undefined ? tool('containerd') : findBuiltTool(built);
  if (path === undefined) throw new Error('containerd 2 is missing; bin/real-parts clients builds it');
  return path;
}

async function versionOf(name: string): Promise<string> {
  return firstNumber(await tryCommand(tool(name), ['--version']));
}

/** The first version number in what a program prints. */
export function firstNumber({ output }: Finished): string {
  return /\d+(\.\d+)+/.exec(output)?.[0] ?? 'unknown';
}

/** Kinds whose program cannot be started here: what reads their files in its place. */
export const READERS: Readonly<Record<string, string>> = {
  k3s: 'only read, by its types (rancher/wharfie 0.7.1)',
  'cri-o': 'only read, by its library (containers/image 5.36.2); skopeo pulls with it',
  'gitlab-ci': 'not run',
};

/** For tap's `skip`: false if the program can be run here, else why not. */
export function missingFor(name: string): string | false {
  const { tools = [], built } = PROGRAMS[name] ?? {};
  if (built && !findBuiltTool(built)) return `not built: ${built} ${BUILT_APART[built]}`;
  return missing(...tools) || (process.getuid?.() === 0 ? false : 'only root can run it');
}
