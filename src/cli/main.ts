import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { PassedSocketError } from '../server/passed-sockets.ts';
import { version } from '../status/snapshot/snapshot.ts';
import { registerAccept } from './ask/accept.ts';
import { AdminError } from './ask/admin-client.ts';
import { registerCoverage } from './ask/coverage.ts';
import { registerExplain } from './ask/explain.ts';
import { registerStatus } from './ask/status.ts';
import { registerCanary } from './canary/canary.ts';
import { registerCert } from './cert/cert.ts';
import { registerCheck } from './check/check.ts';
import { registerClient } from './client/client.ts';
import { UsageError } from './config-path.ts';
import { registerInit } from './init/init.ts';
import { wasInterrupted } from './interruption.ts';
import { registerLab } from './lab/lab.ts';
import { registerNginx } from './nginx/nginx.ts';
import { flushStandardStreams } from './output/standard-streams.ts';
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
  registerInit(program);
  registerServe(program);
  registerLab(program);
  registerCheck(program);
  registerStatus(program);
  registerExplain(program);
  registerCoverage(program);
  registerAccept(program);
  registerSync(program);
  registerCanary(program);
  registerUser(program);
  registerClient(program);
  registerCert(program);
  registerNginx(program);
  return program;
}

async function main(argv: string[]): Promise<number> {
  try {
    await createProgram().parseAsync(argv);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`breakwater: ${error instanceof Error ? errorText(error) : String(error)}\n`);
    return isUsage(error) ? 2 : 1;
  }
}

/** Whether only a change of what the command was given can help. */
function isUsage(error: unknown): boolean {
  return error instanceof ConfigError || error instanceof UsageError || error instanceof PassedSocketError;
}

/** The message, and the stack only of an error that was not foreseen. */
function errorText(error: Error): string | undefined {
  if (isUsage(error) || error instanceof AdminError) return error.message;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE')
    return `${error.message}. Another process listens there. Stop it, or change listen: in the configuration.`;
  if (code === 'EACCES')
    return `${error.message}. Ports below 1024 need root or CAP_NET_BIND_SERVICE. Or use a higher port.`;
  return error.stack;
}

if (import.meta.main) {
  const status = await main(process.argv);
  process.exit((await flushStandardStreams(wasInterrupted())) ? status : Math.max(status, 1));
}
