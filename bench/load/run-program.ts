import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Program } from '../../test/helpers/program.ts';
import type { Owner } from '../../test/helpers/temporary-folder.ts';
import { tool } from '../../test/helpers/tool.ts';

/**
 * Runs a load generator to its end, at the latest until its owner ends. @param good exit statuses that are no failure. @returns its
 * output
 */
export async function runProgram(
  owner: Owner,
  folder: string,
  name: string,
  args: string[],
  good: readonly unknown[] = [0],
): Promise<string> {
  const logFile = join(folder, `${name}-${randomBytes(6).toString('hex')}.log`);
  const program = new Program(owner, { command: tool(name), args, logFile });
  program.start();
  const status = await program.ended();
  if (!good.includes(status)) throw new Error(`${name} ${args.join(' ')}: ${status}\n${program.log()}`);
  return program.log();
}
