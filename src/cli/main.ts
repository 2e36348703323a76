import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { version } from '../status/snapshot/snapshot.ts';
import { AdminError } from './ask/admin-client.ts';
import { registerCoverage } from './ask/coverage.ts';
import { registerExplain } from './ask/explain.ts';
import { registerStatus } from './ask/status.ts';
import { registerCheck } from './check/check.ts';
import { UsageError } from './config-path.ts';
import { registerLab } from './lab/lab.ts';
import { registerServe } from './serve/serve.ts';
import { registerSync } from './sync/sync.ts';
import { registerUser } from './user/user.ts';

/** All commands. Tests read their help texts. */
export function createProgram(): Command {
  const program = new Command('breakwater')
    .description(
      'Keeps `docker pull` working while the primary registry is down: one hostname in front of two registries.',
    )
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
    if (error instanceof AdminError) {
      process.stderr.write(`breakwater: ${error.message}\n`);
      return 1;
    }
    process.stderr.write(
      `breakwater: ${error instanceof Error ? (listenErrorText(error) ?? error.stack) : String(error)}\n`,
    );
    return 1;
  }
}

/** A message without a stack for a port that is taken or not permitted; undefined for any other error. */
function listenErrorText(error: Error): string | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'EADDRINUSE')
    return `${error.message}. Another process listens there. Stop it, or change listen: in the configuration.`;
  if (code === 'EACCES')
    return `${error.message}. Ports below 1024 need root or CAP_NET_BIND_SERVICE. Or use a higher port.`;
  return undefined;
}

if (import.meta.main) process.exit(await main(process.argv));
