import { kubernetesFiles } from './cluster/kubernetes.ts';
import { buildkitFiles } from './generate/buildkit.ts';
import { containerdFiles } from './generate/containerd.ts';
import { dockerFiles } from './generate/docker.ts';
import type { Generated, Request } from './generate/generated.ts';
import { gitlabFiles } from './generate/gitlab-ci.ts';
import { k3sFiles } from './generate/k3s.ts';
import { microk8sFiles } from './generate/microk8s.ts';
import { containersFiles } from './generate/registries-conf.ts';

/** A program that pulls images. */
export interface Kind {
  /** For the list of kinds. */
  says: string;
  /** It writes credentials into its files. */
  takesUser?: true;
  /** Versions that it is known for, oldest first. */
  versions: readonly string[];
  /** Its files differ by version, so that one must be named. */
  needsVersion?: true;
  /** Its files are not for a node. */
  hasNoScript?: true;
  generate(request: Request): Generated;
}

/** Every kind, by the name on the command line. Versions: releases of each project up to 2026-11-30. */
export const KINDS: Readonly<Record<string, Kind>> = {
  docker: {
    says: 'dockerd',
    versions: ['20.10', ...upTo(23, 29)],
    generate: dockerFiles,
  },
  containerd: {
    says: 'containerd of a node',
    versions: ['1.6', '1.7', ...minors(2, 0, 4)],
    needsVersion: true,
    generate: containerdFiles,
  },
  k3s: { says: 'k3s', versions: minors(1, 21, 36), takesUser: true, generate: k3sFiles },
  microk8s: { says: 'microk8s', versions: minors(1, 23, 36), generate: microk8sFiles },
  podman: containers('podman', [...minors(4, 0, 9), ...upTo(5, 6)]),
  'cri-o': containers('cri-o', minors(1, 20, 36)),
  skopeo: containers('skopeo', minors(1, 4, 23)),
  buildah: containers('buildah', minors(1, 23, 44)),
  buildkit: { says: 'buildkitd', versions: minors(0, 11, 34), generate: buildkitFiles },
  'gitlab-ci': {
    says: 'a runner with the Docker executor',
    versions: upTo(15, 19),
    takesUser: true,
    generate: gitlabFiles,
  },
  kubernetes: {
    says: 'objects for kubectl apply',
    versions: minors(1, 24, 36),
    takesUser: true,
    hasNoScript: true,
    generate: kubernetesFiles,
  },
};

function containers(kind: string, versions: readonly string[]): Kind {
  return { says: 'registries.conf.d and certs.d', versions, generate: (request) => containersFiles(kind, request) };
}

function upTo(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`);
}

function minors(major: number, first: number, last: number): string[] {
  return upTo(first, last).map((minor) => `${major}.${minor}`);
}
