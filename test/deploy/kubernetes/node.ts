import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { command, type Finished, tryCommand } from '../../helpers/command.ts';
import { Program } from '../../helpers/program.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tool } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';
import { writeNodeImages } from './node-images.ts';

interface StaticPod {
  metadata: { name: string; namespace: string };
  spec: {
    securityContext: { runAsUser: number; runAsGroup: number };
    containers: [
      {
        name: string;
        image: string;
        env: { name: string; value: string }[];
        volumeMounts: { mountPath: string; readOnly: boolean }[];
        securityContext: { readOnlyRootFilesystem: boolean; capabilities: { drop: string[] } };
      },
    ];
  };
}

/** A node with a real containerd, in a network of its own from which no registry can be reached. */
export class Node {
  static readonly TOOLS = ['ip', 'nsenter', 'containerd', 'ctr', 'crictl', 'curl', 'runc'];
  readonly folder: string;
  readonly #owner: Owner;
  readonly #network = `bw-${randomBytes(4).toString('hex')}`;
  readonly #containerd: Program;

  constructor(owner: Owner) {
    this.#owner = owner;
    this.folder = temporaryFolder(owner);
    owner.teardown(() => tryCommand(tool('ip'), ['netns', 'delete', this.#network]));
    for (const name of ['logs', 'hosts', 'manifests']) mkdirSync(join(this.folder, name));
    writeFileSync(join(this.folder, 'containerd.toml'), this.#config());
    this.#containerd = this.program('containerd.log', 'containerd', '--config', join(this.folder, 'containerd.toml'));
    // Containers outlive their daemon, and what they have mounted, too.
    owner.teardown(() => this.#removePods());
  }

  /** @param edge the name of the edge's image, with which the node begins */
  async start(edge: string): Promise<this> {
    const ip = (...args: string[]) => command(tool('ip'), args);
    await ip('netns', 'add', this.#network);
    // The kubelet wants a default route, and takes its address for that of the node.
    await ip('-n', this.#network, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'nobody');
    await ip('-n', this.#network, 'address', 'add', '10.213.1.9/24', 'dev', 'eth0');
    for (const device of ['lo', 'eth0', 'nobody']) await ip('-n', this.#network, 'link', 'set', device, 'up');
    await ip('-n', this.#network, 'route', 'add', 'default', 'via', '10.213.1.1');
    this.#containerd.start();
    await this.#containerd.waitForLog(/containerd successfully booted/);
    const archive = await writeNodeImages(temporaryFolder(this.#owner), edge, 'localhost/pause:1');
    const socket = ['--address', this.#socket, '--namespace', 'k8s.io'];
    await command(tool('ctr'), [...socket, 'images', 'import', '--snapshotter', 'native', archive], {
      timeout: 120_000,
    });
    return this;
  }

  /** A program in the network of the node. */
  program(log: string, name: string, ...args: readonly string[]): Program {
    const [file, ...words] = this.inside(name.includes('/') ? name : tool(name), ...args);
    return new Program(this.#owner, { command: file, args: words, logFile: join(this.folder, log) });
  }

  /** The words that run a program there. Unlike `ip netns exec`, this keeps the mounts of cgroups. */
  inside(...words: readonly string[]): [command: string, ...args: string[]] {
    return [tool('nsenter'), `--net=/run/netns/${this.#network}`, ...words];
  }

  run(...words: readonly string[]): Promise<Finished> {
    const [file, ...args] = this.inside(...words);
    return tryCommand(file, args);
  }

  crictl(...args: readonly string[]): Promise<Finished> {
    const socket = `unix://${this.#socket}`;
    return this.run(tool('crictl'), '--timeout', '60s', '-r', socket, '-i', socket, ...args);
  }

  /** @returns the status, `000` if nothing answers */
  async statusOf(url: string): Promise<string> {
    const format = ['--insecure', '--max-time', '5', '--output', '/dev/null', '--write-out', '%{http_code}'];
    return (await this.run(tool('curl'), '--silent', ...format, url)).stdout;
  }

  /** Sets what a file in /etc/sysctl.d sets, such as `net.ipv4.ip_unprivileged_port_start=443`. */
  async sysctl(line: string): Promise<void> {
    const [name = '', value = ''] = line.split('=');
    const [file, ...args] = this.inside('sh', '-c', 'echo "$1" >"$0"', join('/proc/sys', ...name.split('.')), value);
    await command(file, args);
  }

  /** Waits until an URL is answered with 200. */
  async waitFor(url: string): Promise<void> {
    await until(async () => (await this.statusOf(url)) === '200', { timeout: 30_000, what: () => url });
  }

  /** What containerd is to ask for the images of a registry. */
  writeHosts(registry: string, hostsToml: string): void {
    mkdirSync(join(this.folder, 'hosts', registry), { recursive: true });
    writeFileSync(join(this.folder, 'hosts', registry, 'hosts.toml'), hostsToml);
  }

  /**
   * Starts the container of a static pod as the kubelet would, from the image that is there.
   * @param configuration stands for its hostPath
   * @returns the identifier of the container
   */
  async startPod(manifest: string, configuration: string): Promise<string> {
    const files = ['container', 'pod'].map((name) => join(this.folder, `${name}.json`));
    for (const [index, part] of criOf(parse(manifest), configuration, this.folder).entries())
      writeFileSync(files[index] ?? '', JSON.stringify(part));
    const started = await this.crictl('run', '--no-pull', ...files);
    if (started.status !== 0) throw new Error(`${started.output}\n${this.#containerd.log().slice(-2000)}`);
    return started.stdout.trim();
  }

  get #socket(): string {
    return join(this.folder, 'c.sock');
  }

  get endpoint(): string {
    return `unix://${this.#socket}`;
  }

  async #removePods(): Promise<void> {
    if (!this.#containerd.running) return;
    const pods = (await this.crictl('pods', '--quiet')).stdout.split('\n').filter(Boolean);
    for (const pod of pods) await this.crictl('rmp', '--force', pod);
  }

  #config(): string {
    const path = (name: string) => JSON.stringify(join(this.folder, name));
    return `version = 2
root = ${path('root')}
state = ${path('state')}
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = ${path('c.sock')}
[ttrpc]
address = ${path('t.sock')}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = ${path('hosts')}
`;
  }
}

/** What the kubelet asks of the container runtime for such a pod. */
function criOf({ metadata, spec }: StaticPod, configuration: string, folder: string): [container: object, pod: object] {
  const [{ name, image, env, volumeMounts, securityContext }] = spec.containers;
  const security = {
    run_as_user: { value: spec.securityContext.runAsUser },
    run_as_group: { value: spec.securityContext.runAsGroup },
    namespace_options: { network: 2 },
    seccomp: { profile_type: 0 },
  };
  const mounts = volumeMounts.map(({ mountPath, readOnly }) => ({
    container_path: mountPath,
    host_path: configuration,
    readonly: readOnly,
  }));
  const container = {
    metadata: { name, attempt: 0 },
    image: { image },
    envs: env.map((variable) => ({ key: variable.name, value: variable.value })),
    mounts,
    log_path: `${name}.log`,
    linux: {
      security_context: {
        ...security,
        readonly_rootfs: securityContext.readOnlyRootFilesystem,
        no_new_privs: true,
        capabilities: { drop_capabilities: securityContext.capabilities.drop },
      },
    },
  };
  const pod = {
    metadata: { ...metadata, uid: metadata.name, attempt: 0 },
    log_directory: join(folder, 'logs'),
    linux: { security_context: security },
  };
  return [container, pod];
}
