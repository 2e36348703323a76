import type { Command } from 'commander';
import type { ClientOptions } from './client-options.ts';

/** `breakwater client KIND` */
export function registerClient(program: Command): void {
  program
    .command('client')
    .argument(
      '<kind>',
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
      (text: string, former: string[]) => [...former, text],
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
    .option('--client-version <version>', 'version of the program, such as 1.7 for containerd')
    .option(
      '--output <folder>',
      'write the files below this folder; shared files that are there are merged and kept as a backup',
    )
    .option('--script <file>', 'write an install script for nodes, which also uninstalls; - is standard output')
    .option('--force', 'replace files that this command did not write')
    .option('--json', 'print JSON')
    .action(async (kind: string, options: ClientOptions) => {
      // Loaded lazily, because no other command needs TOML.
      const { writeClientFiles } = await import('./client-files.ts');
      await writeClientFiles(kind, options);
    });
}
