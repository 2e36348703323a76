import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { BREAK_GLASS, isBreakGlassName, isUserName } from '../../config/htpasswd.ts';
import { inspectFile } from '../../config/load.ts';
import { usersFileKey } from '../../config/material.ts';
import { configPath, UsageError } from '../config-path.ts';
import { UserFile } from './user-file.ts';

interface FileOptions {
  config?: string;
  file?: string;
}

/** `breakwater user add|remove|list`: the users of `auth.mode: htpasswd`, and break-glass users. */
export function registerUser(program: Command): void {
  const user = program
    .command('user')
    .description(
      'Manage the users of `auth.mode: htpasswd`, or the break-glass users of `delegate`. A running edge loads each change at once.',
    );
  withFileOptions(user.command('add'))
    .argument('<name>')
    .description('Add a user, or change the password of a user.')
    .option('--password-stdin', 'read the password from standard input, and do not ask for it')
    .action(async (name: string, options: FileOptions & { passwordStdin?: boolean }) => {
      if (!isUserName(name)) throw new UsageError(`${name} is not a user name: use letters, digits and . _ @ $ + -`);
      const { file, breakGlass } = await openUserFile(options);
      if (breakGlass && !isBreakGlassName(name))
        throw new UsageError(
          `the name of a break-glass user must end in ${BREAK_GLASS}, such as ${name}${BREAK_GLASS}`,
        );
      const { askPassword, passwordFromStdin } = await import('./password-prompt.ts');
      const { hashPassword } = await import('../../auth/passwords.ts');
      const password = options.passwordStdin ? await passwordFromStdin() : await askPassword(name);
      const hash = await hashPassword(password).catch((error: Error) => {
        throw new UsageError(error.message);
      });
      const known = await file.set(name, hash);
      process.stdout.write(known ? `the password of ${name} was changed\n` : `${name} was added\n`);
    });
  withFileOptions(user.command('remove'))
    .argument('<name>')
    .description('Remove a user, and refuse their tokens from then on. Exit status 1 if there is no such user.')
    .action(async (name: string, options: FileOptions) => {
      const removed = await (await openUserFile(options)).file.remove(name);
      process.stdout.write(removed ? `${name} was removed\n` : `there is no user ${name}\n`);
      if (!removed) process.exitCode = 1;
    });
  withFileOptions(user.command('list'))
    .description('List the users.')
    .option('--json', 'print JSON')
    .action(async (options: FileOptions & { json?: boolean }) => {
      const names = await (await openUserFile(options)).file.names();
      process.stdout.write(options.json ? `${JSON.stringify(names)}\n` : names.map((name) => `${name}\n`).join(''));
    });
}

function withFileOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration that names auth.htpasswdFile or auth.breakGlassFile')
    .option('--file <file>', 'password file to use, without a configuration');
}

/** @returns the file, and whether the configuration names it for break-glass users */
async function openUserFile({ config, file }: FileOptions): Promise<{ file: UserFile; breakGlass: boolean }> {
  if (file !== undefined) return { file: new UserFile(file), breakGlass: false };
  const path = configPath(config);
  const inspected = await inspectFile(path);
  if (!inspected.config) throw new UsageError(`${path} has errors: run breakwater check, or name the file with --file`);
  const key = usersFileKey(inspected.config) ?? 'htpasswdFile';
  const named = inspected.config.auth[key];
  if (named === undefined)
    throw new UsageError(`${path} does not set auth.${key}: set it, or name the file with --file`);
  return { file: new UserFile(resolve(dirname(resolve(path)), named)), breakGlass: key === 'breakGlassFile' };
}
