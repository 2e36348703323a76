import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { version } from '../status/snapshot/snapshot.ts';
import { NoAnswer } from './ask/admin-client.ts';
import { registerCoverage } from './ask/coverage.ts';
import { registerExplain } from './ask/explain.ts';
import { registerStatus } from './ask/status.ts';
import { registerCheck } from './check/check.ts';
import { UsageError } from './config-path.ts';
import { registerLab } from './lab/lab.ts';
import { registerServe } from './serve/serve.ts';
import { registerSync } from './sync/sync.ts';
import { registerUser } from './user/user.ts';

/** All commands; `docs` and tests read their help from it. */
export function createProgram(): Command {
  const program = new Command('breakwater')
    .description('Keeps `docker pull` working while the primary registry is down: one hostname before two registries.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(see breakwater --help)');
  registerServe(program);
  registerLab(program);
  registerCheck(program);
  registerStatus(program);
  registerExplain(program);
  registerCoverage(program);
  registerSync(program);
  registerUser(program);
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...allCommands(one)]);
}

async function main(argv: string[]): Promise<number> {
  try {
    const program = createProgram();
    for (const command of allCommands(program)) command.exitOverride();
    await program.parseAsync(argv);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof ConfigError || error instanceof UsageError) {
      process.stderr.write(`breakwater: ${error.message}\n`);
      return 2;
    }
    if (error instanceof NoAnswer) {
      process.stderr.write(`breakwater: ${error.message}\n`);
      return 1;
    }
    process.stderr.write(
      `breakwater: ${error instanceof Error ? (isListenError(error) ?? error.stack) : String(error)}\n`,
    );
    return 1;
  }
}

/** What goes wrong most often at a start deserves better than a stack. */
function isListenError(error: Error): string | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'EADDRINUSE')
    return `${error.message}. Something else listens there; change listen: in the configuration.`;
  if (code === 'EACCES')
    return `${error.message}. Ports below 1024 need CAP_NET_BIND_SERVICE or root; or listen on a higher one.`;
  return undefined;
}

if (import.meta.main) process.exit(await main(process.argv));
