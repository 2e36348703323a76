import type { Command } from 'commander';
import { fallbackAdvice, primaryAdvice } from './account-advice.ts';
import type { InitOptions } from './init-run.ts';

const DESCRIPTION =
  'Make a directory with everything that an edge needs: configuration, secrets, certificate and canaries. It asks for what no option says; without a terminal, what is missing is an error. Nothing is written unless the registries take the canaries and `breakwater check` finds no error.';

/** `breakwater init [DIRECTORY]` */
export function registerInit(program: Command): void {
  const init = program
    .command('init')
    .argument('[directory]', 'directory to make', 'breakwater')
    .description(DESCRIPTION);
  addSiteOptions(init);
  init
    .option(
      '--owner <user>',
      'user that the service runs as, who owns the files: a name, or UID:GID (default: you; with --force, who owns them now)',
    )
    .option('--new', 'the primary is new and empty, although the fallback has images')
    .option('--offline', 'write the directory without asking the registries, and say which commands are left')
    .option('--force', 'make a directory anew that has a site; edge.key, the CA, the users and the token stay')
    .option('-y, --yes', 'take the usual answers without asking, and agree to --auth open')
    .option('--json', 'print JSON')
    .addHelpText('after', accountsText())
    .action(async (directory: string, options: InitOptions) => {
      // Loaded lazily, because no other command needs the code that makes certificates.
      const { initSite } = await import('./init-run.ts');
      if (!(await initSite(directory, options))) process.exitCode = 1;
    });
}

function addSiteOptions(init: Command): void {
  init
    .option('--hostname <name>', 'hostname that clients use, such as cr.example.io')
    .option('--primary <url>', 'registry that takes pushes, such as https://harbor.lan')
    .option('--primary-kind <kind>', 'harbor or registry (default: harbor)')
    .option('--primary-ca <file>', 'CA of its certificate (default: the CAs of the system)')
    .option('--primary-user <name>', "account of the edge there, such as 'robot$breakwater'")
    .option('--primary-password-file <file>', 'file with its password')
    .option('--fallback <address>', 'registry and path of the copies, such as europe-docker.pkg.dev/PROJECT/REPOSITORY')
    .option('--fallback-kind <kind>', 'artifact-registry, harbor or registry (default: by its host)')
    .option('--fallback-ca <file>', 'CA of its certificate (default: the CAs of the system)')
    .option(
      '--fallback-user <name>',
      'account of the edge there (default: _json_key at Artifact Registry, otherwise none)',
    )
    .option('--fallback-password-file <file>', 'file with its password, or with the JSON key')
    .option('--fallback-helper <name>', 'instead of both: credential helper there, docker-credential-NAME of PATH')
    .option('--fallback-metadata <cloud>', 'gcp: instead of both, the token of this machine or pod of Google Cloud')
    .option(
      '--auth <mode>',
      'who logs in: delegate, htpasswd or open (default: delegate before Harbor, otherwise htpasswd)',
    )
    .option('--login-user <name>', 'with htpasswd: first user, who may push')
    .option('--login-password-file <file>', 'file with the password of this user')
    .option('--certificate <source>', 'ca, acme, files or later (default: ca, or files with --cert-file)')
    .option('--cert-file <file>', 'certificate of the edge with its chain')
    .option('--cert-key-file <file>', 'private key of this certificate')
    .option('--acme-agree', 'with acme: you agree to the terms of service of the ACME server')
    .option('--acme-email <address>', 'address that the ACME server may write to')
    .option('--acme-directory <url>', 'ACME server (default: Let’s Encrypt)')
    .option('--acme-ca <file>', 'CA of a private ACME server')
    .option('--prefix <prefix>', 'serve only these repositories, such as library/ (default: all)')
    .option(
      '--canary <image>',
      'image of the primary that probes read (default: canary:latest in the prefix or in library/)',
    )
    .option('--realm-host <host>', 'host of the token service of the primary, if it is another one', append)
    .option('--fallback-realm-host <host>', 'the same of the fallback', append)
    .option('--https <address>', 'where clients connect', '0.0.0.0:443')
    .option(
      '--admin <address>',
      'where the status page is; it gets a token where other machines reach it',
      '127.0.0.1:9443',
    );
}

function append(host: string, before: string[] = []): string[] {
  return [...before, host];
}

function accountsText(): string {
  const parts = {
    'At Harbor:': primaryAdvice('harbor', 'delegate', 'library/canary:latest'),
    'At Artifact Registry:': fallbackAdvice('artifact-registry'),
  };
  const lines = Object.entries(parts).flatMap(([title, advice]) => [title, ...advice.map((line) => `  ${line}`)]);
  return `\nPasswords come from files or are typed, and are never arguments, which \`ps\` shows.\n${lines.join('\n')}\n`;
}
