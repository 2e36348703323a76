import { join } from 'node:path';
import { Program } from '../../test/helpers/program.ts';
import type { Owner } from '../../test/helpers/temporary-folder.ts';
import { tool } from '../../test/helpers/tool.ts';
import { until } from '../../test/helpers/until.ts';
import { answers } from './ports.ts';

export interface DaemonOptions {
  /** Name of the program. */
  name: string;
  args: string[];
  /** Folder of its log. */
  folder: string;
  /** Ports of 127.0.0.1 on which a ready server listens. */
  ports: readonly number[];
  env?: NodeJS.ProcessEnv;
}

/** Runs a server in the foreground until its owner ends. @returns its process id, once the server accepts connections */
export async function startDaemon(owner: Owner, { name, args, folder, ports, env }: DaemonOptions): Promise<number> {
  const logFile = join(folder, 'output.log');
  const program = new Program(owner, { command: tool(name), args, logFile, ...(env ? { env } : {}) });
  program.start();
  await until(
    async () => {
      if (!program.running) throw new Error(`${name} ended:\n${program.log()}`);
      return (await Promise.all(ports.map(answers))).every(Boolean);
    },
    { what: () => `${name} to listen:\n${program.log().slice(-2000)}` },
  );
  return program.pid;
}
