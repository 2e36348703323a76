import { containerdFiles } from './containerd.ts';
import { dockerFiles } from './docker.ts';
import type { Generated, Request } from './generated.ts';
import { containersFiles } from './registries-conf.ts';

/** A program that pulls images. */
export interface Kind {
  /** For the list of kinds. */
  says: string;
  /** Versions that it is known for, oldest first. */
  versions: readonly string[];
  /** Its files differ by version, so that one must be named. */
  needsVersion?: true;
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
  podman: containers('podman', [...minors(4, 0, 9), ...upTo(5, 6)]),
  'cri-o': containers('cri-o', minors(1, 20, 36)),
  skopeo: containers('skopeo', minors(1, 4, 23)),
  buildah: containers('buildah', minors(1, 23, 44)),
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
