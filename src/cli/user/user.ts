import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { BREAK_GLASS, isBreakGlassName, isUserName } from '../../config/htpasswd.ts';
import { inspectFile } from '../../config/load.ts';
import { usersFileKey } from '../../config/material.ts';
import { configPath, UsageError } from '../config-path.ts';
import { UserFile } from './user-file.ts';

interface Where {
  config?: string;
  file?: string;
}

/** `breakwater user add|remove|list`: who may log in where `auth.mode` is `htpasswd`, and break-glass users. */
export function registerUser(program: Command): void {
  const user = program
    .command('user')
    .description(
      'Users of `auth.mode: htpasswd`, and break-glass users of `delegate`. A running edge reads the file again when it changes.',
    );
  withPlace(user.command('add'))
    .argument('<name>')
    .description('Add a user, or give one another password.')
    .option('--password-stdin', 'read the password from standard input instead of asking for it')
    .action(async (name: string, options: Where & { passwordStdin?: boolean }) => {
      if (!isUserName(name)) throw new UsageError(`${name} is no user name: letters, digits and . _ @ $ + -`);
      const { file, breakGlass } = await openUserFile(options);
      if (breakGlass && !isBreakGlassName(name))
        throw new UsageError(`names of break-glass users end in ${BREAK_GLASS}: ${name}${BREAK_GLASS}`);
      const { askPassword, passwordFromStdin } = await import('./password-prompt.ts');
      const { hashPassword } = await import('../../auth/passwords.ts');
      const password = options.passwordStdin ? await passwordFromStdin() : await askPassword(name);
      const hash = await hashPassword(password).catch((error: Error) => {
        throw new UsageError(error.message);
      });
      const known = await file.set(name, hash);
      process.stdout.write(known ? `${name} has another password now\n` : `${name} was added\n`);
    });
  withPlace(user.command('remove'))
    .argument('<name>')
    .description('Remove a user; tokens of theirs are worth nothing from then on. Exit status 1 if there is none.')
    .action(async (name: string, options: Where) => {
      const removed = await (await openUserFile(options)).file.remove(name);
      process.stdout.write(removed ? `${name} was removed\n` : `there is no user ${name}\n`);
      if (!removed) process.exitCode = 1;
    });
  withPlace(user.command('list'))
    .description('List the users.')
    .option('--json', 'as JSON')
    .action(async (options: Where & { json?: boolean }) => {
      const names = await (await openUserFile(options)).file.names();
      process.stdout.write(options.json ? `${JSON.stringify(names)}\n` : names.map((name) => `${name}\n`).join(''));
    });
}

function withPlace(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration whose auth.htpasswdFile or auth.breakGlassFile is meant')
    .option('--file <file>', 'the password file itself, without any configuration');
}

/** @returns the file, and whether it is known to be of break-glass users */
async function openUserFile({ config, file }: Where): Promise<{ file: UserFile; breakGlass: boolean }> {
  if (file !== undefined) return { file: new UserFile(file), breakGlass: false };
  const path = configPath(config);
  const inspected = await inspectFile(path);
  if (!inspected.config)
    throw new UsageError(`${path} cannot be used as it is; see breakwater check, or name the file with --file`);
  const key = usersFileKey(inspected.config) ?? 'htpasswdFile';
  const named = inspected.config.auth[key];
  if (named === undefined)
    throw new UsageError(`${path} names no auth.${key}; set one there, or name the file with --file`);
  return { file: new UserFile(resolve(dirname(resolve(path)), named)), breakGlass: key === 'breakGlassFile' };
}
