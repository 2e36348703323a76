import type { ContainerClient } from '../helpers/container-client.ts';
import { Containerd } from '../helpers/containerd.ts';
import { Crane } from '../helpers/crane.ts';
import { Docker } from '../helpers/docker.ts';
import { Podman } from '../helpers/podman.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import type { Owner } from '../helpers/temporary-folder.ts';

type Start = (owner: Owner, certificates: string) => ContainerClient | Promise<ContainerClient>;

/** Every real client, and what it needs. */
export const CLIENTS: Record<string, { tools: string[]; start: Start }> = {
  docker: { tools: ['docker', 'dockerd', 'unshare'], start: (owner) => new Docker(owner).start() },
  ctr: { tools: ['containerd', 'ctr'], start: (owner, certificates) => new Containerd(owner, certificates).start() },
  podman: { tools: ['podman'], start: (owner, certificates) => new Podman(owner, certificates) },
  skopeo: { tools: ['skopeo'], start: (owner, certificates) => new Skopeo(owner, certificates) },
  crane: { tools: ['crane'], start: (owner, certificates) => new Crane(owner, certificates) },
};
