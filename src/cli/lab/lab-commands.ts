import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A client of registries that is installed here; `curl` where none is. */
export type LabClient = 'docker' | 'podman' | 'skopeo' | 'curl';

/** Command lines for another terminal, and the sentence that says what is seen then. */
export interface LabCommand {
  says: string;
  lines: string[];
}

export interface LabAddresses {
  /** Ports on localhost. */
  edge: number;
  control: number;
  /** Folder for an OCI layout, for the client that keeps images nowhere else. */
  layout: string;
  /** Digest of the blob that makes `library/big` big. */
  bigBlob: string;
}

/** Docker and podman run in a virtual machine elsewhere than on Linux, where `localhost` is another machine. */
export function installedClient(env = process.env, platform: NodeJS.Platform = process.platform): LabClient {
  if (platform === 'linux' && isInstalled('docker', env) && hasDockerSocket(env)) return 'docker';
  if (platform === 'linux' && isInstalled('podman', env)) return 'podman';
  return isInstalled('skopeo', env) ? 'skopeo' : 'curl';
}

function isInstalled(name: string, env: NodeJS.ProcessEnv): boolean {
  return (env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

/** Without its daemon the docker command is of no use. */
function hasDockerSocket({ DOCKER_HOST: host, XDG_RUNTIME_DIR: runtime }: NodeJS.ProcessEnv): boolean {
  if (host) return host.startsWith('unix:') && existsSync(host.replace(/^unix:(\/\/)?/, ''));
  return ['/var/run/docker.sock', ...(runtime ? [join(runtime, 'docker.sock')] : [])].some((file) => existsSync(file));
}

/** What the visitor is told to try, in this order. Every line can be pasted as it stands. */
export function labCommands(client: LabClient, addresses: LabAddresses): LabCommand[] {
  const { edge, control, bigBlob } = addresses;
  const switches = `http://localhost:${control}/harbor`;
  const { pull, push } = clientLines(client, addresses);
  const freeze = `curl -X POST ${switches}/frozen`;
  const isCurl = client === 'curl';
  const big = isCurl
    ? `curl -k https://localhost:${edge}/v2/library/big/blobs/${bigBlob} | openssl dgst -sha256`
    : pull('big');
  return [
    { says: 'Pull an image. It comes from harbor, the primary.', lines: [pull('hello')] },
    { says: 'Push one. It goes to harbor, and Breakwater copies it to gcr.', lines: [push] },
    {
      says: 'Freeze harbor during a download of 32 MB. The download resumes on gcr.',
      lines: [`curl -X POST ${switches}/slow`, `${big} & sleep 3; ${freeze}; wait`],
    },
    // With curl, the push only begins an upload.
    { says: 'Harbor is frozen. Pull: it comes from gcr.', lines: [pull(isCurl ? 'hello' : 'mine')] },
    { says: 'Push again. Breakwater refuses it, and says why.', lines: [push] },
    { says: 'Heal harbor. It serves again within 5 seconds.', lines: [`curl -X DELETE ${switches}`] },
  ];
}

function clientLines(
  client: LabClient,
  { edge, layout }: LabAddresses,
): { pull: (name: string) => string; push: string } {
  const image = (name: string) => `localhost:${edge}/library/${name}`;
  switch (client) {
    case 'docker':
      return {
        pull: (name) => `docker pull ${image(name)}`,
        push: `docker tag ${image('hello')} ${image('mine')} && docker push ${image('mine')}`,
      };
    case 'podman':
      return {
        pull: (name) => `podman pull --tls-verify=false ${image(name)}`,
        push: `podman push --tls-verify=false ${image('hello')} ${image('mine')}`,
      };
    case 'skopeo': {
      const copy = 'skopeo --insecure-policy copy';
      return {
        pull: (name) => `${copy} --src-tls-verify=false docker://${image(name)} oci:${layout}:${name}`,
        push: `${copy} --dest-tls-verify=false oci:${layout}:hello docker://${image('mine')}`,
      };
    }
    case 'curl': {
      const url = `https://localhost:${edge}/v2/library`;
      return {
        pull: (name) => `curl -ik ${url}/${name}/manifests/latest`,
        push: `curl -ik -X POST ${url}/mine/blobs/uploads/`,
      };
    }
  }
}
