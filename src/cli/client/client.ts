import type { Command } from 'commander';
import { UsageError } from '../config-path.ts';
import type { ClientOptions } from './client-options.ts';

interface Options extends Omit<ClientOptions, 'clientVersion'> {
  clientVersion: string[];
  lint?: string;
  kind?: string;
  file?: string;
}

const collect = (text: string, former: string[]) => [...former, text];

/** `breakwater client KIND`, and `breakwater client --lint PATH` */
export function registerClient(program: Command): void {
  program
    .command('client')
    .argument(
      '[kind]',
      'docker, containerd, k3s, microk8s, podman, cri-o, skopeo, buildah, buildkit, gitlab-ci or kubernetes',
    )
    .description(
      'Write the files with which a node, a CI runner or a cluster pulls through the edge. Hostname, authority and fallback come from the configuration, or from options. Without --output, the files are printed.',
    )
    .option('-c, --config <file>', 'configuration of the edge (default: BREAKWATER_CONFIG, else ./breakwater.yaml)')
    .option('--hostname <host>', 'HOST or HOST:PORT of the edge, in place of that of a configuration')
    .option(
      '--ca <file>',
      'authority of the edge in PEM form (default: the last certificate of tls.certFile, if self-signed)',
    )
    .option(
      '--mirror <registry>',
      'pull images of this registry through the edge, such as docker.io; REGISTRY=PREFIX/ if the edge has them under a prefix. May be repeated',
      collect,
      [] as string[],
    )
    .option('--with-fallback', 'ask the fallback of the configuration when no edge answers, where the program can')
    .option('--fallback <place>', 'HOST or HOST/PATH of the fallback, in place of that of a configuration')
    .option('--fallback-ca <file>', 'authority of the fallback in PEM form')
    .option(
      '--user <name>',
      'user of the edge, for the kinds whose files hold credentials (k3s, gitlab-ci, kubernetes)',
    )
    .option('--password-file <file>', 'file with the password of that user')
    .option(
      '--client-version <version>',
      'version of the program, such as 1.7 for containerd; with --lint PROGRAM=VERSION, and may be repeated',
      collect,
      [] as string[],
    )
    .option(
      '--lint <path>',
      'write nothing, but check the files below a folder such as / or /etc, one file, or standard input (-) for what bypasses the edge, leaks pulls to the internet, hangs, ignores an authority or loses credentials. Exit status 1 if there are findings',
    )
    .option('--kind <kind>', 'with --lint and one file: what it is, such as docker-auth')
    .option('--file <name>', 'with --lint -: the name that the file has on a node, such as /etc/docker/daemon.json')
    .option(
      '--image <image>',
      'image with sh for the DaemonSet of kubernetes (default: docker.io/library/busybox:1.37)',
    )
    .option(
      '--output <folder>',
      'write the files below this folder; shared files that are there are merged and kept as a backup',
    )
    .option('--script <file>', 'write an install script for nodes, which also uninstalls; - is standard output')
    .option('--force', 'replace files that this command did not write')
    .option('--json', 'print JSON')
    .action(async (kind: string | undefined, options: Options) => {
      // Loaded lazily, because no other command needs TOML.
      if (options.lint !== undefined) {
        refuseForLint(kind, options);
        const { lintClient } = await import('./lint-client.ts');
        if (await lintClient(options.lint, { ...options, versions: options.clientVersion })) process.exitCode = 1;
        return;
      }
      const { clientVersion, lint: _, kind: fileKind, file, ...rest } = options;
      if (kind === undefined) throw new UsageError('name a kind of client, such as containerd, or give --lint PATH');
      if (fileKind !== undefined || file !== undefined) throw new UsageError('--kind and --file go with --lint');
      const { writeClientFiles } = await import('./client-files.ts');
      const version = clientVersion.at(-1);
      await writeClientFiles(kind, { ...rest, ...(version === undefined ? {} : { clientVersion: version }) });
    });
}

const OF_LINT = ['config', 'hostname', 'clientVersion', 'lint', 'kind', 'file', 'json'];

/** @throws UsageError for what only the writing of files takes */
function refuseForLint(kind: string | undefined, options: Options): void {
  if (kind !== undefined) throw new UsageError(`--lint takes no kind of client; leave ${JSON.stringify(kind)} out`);
  const others = Object.entries(options).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  const wrong = others.map(([name]) => name).find((name) => !OF_LINT.includes(name));
  if (wrong === undefined) return;
  const flag = `--${wrong.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new UsageError(`${flag} does not go with --lint, which writes nothing`);
}
