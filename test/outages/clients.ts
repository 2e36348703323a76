import type { Finished } from '../helpers/command.ts';
import { Containerd } from '../helpers/containerd.ts';
import { Crane } from '../helpers/crane.ts';
import { Docker } from '../helpers/docker.ts';
import { Podman } from '../helpers/podman.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { CopyingClient } from './copying-client.ts';
import { Crictl } from './crictl.ts';
import { Helm } from './helm.ts';

/** A real client. Images are named `127.0.0.1:PORT/repository:tag`. */
export interface OutageClient {
  readonly name: string;
  tryPull(image: string): Promise<Finished>;
  /** Pushes the image of an OCI layout. Undefined: the client cannot push. */
  tryPush?(layout: string, image: string): Promise<Finished>;
}

interface ClientKind {
  /** The programs that it needs. */
  tools: readonly string[];
  start(owner: Owner, certificates: string): OutageClient | Promise<OutageClient>;
}

/** Every client, in the order of the page. */
export const CLIENTS: Record<string, ClientKind> = {
  docker: { tools: ['docker', 'dockerd', 'unshare'], start: (owner) => new Docker(owner).start() },
  podman: { tools: ['podman'], start: (owner, certificates) => new Podman(owner, certificates) },
  skopeo: { tools: ['skopeo'], start: (owner, certificates) => new Skopeo(owner, certificates) },
  ctr: { tools: ['containerd', 'ctr'], start: (owner, certificates) => new Containerd(owner, certificates).start() },
  crictl: { tools: ['containerd', 'crictl'], start: (owner, certificates) => new Crictl(owner, certificates).start() },
  crane: { tools: ['crane'], start: (owner, certificates) => new Crane(owner, certificates) },
  oras: { tools: ['oras'], start: (owner, certificates) => new CopyingClient('oras', owner, certificates) },
  regctl: { tools: ['regctl'], start: (owner, certificates) => new CopyingClient('regctl', owner, certificates) },
  helm: { tools: ['helm'], start: (owner, certificates) => new Helm(owner, certificates) },
};
