import { spawn } from 'node:child_process';
import { commandLine } from './command-line.ts';
import { timeLimit } from './time-limit.ts';

export interface Finished {
  status: number | NodeJS.Signals;
  stdout: string;
  /** Standard output and error as they came. */
  output: string;
  /** Milliseconds it took. */
  took: number;
}

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Milliseconds until it is killed. */
  timeout?: number;
}

/** Runs a command to its end, whatever its exit status. */
export async function tryCommand(
  file: string,
  args: readonly string[],
  { env, cwd, timeout = 60_000 }: CommandOptions = {},
): Promise<Finished> {
  const began = performance.now();
  const [program, line] = commandLine(file, args);
  const child = spawn(program, line, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: env ?? process.env,
    timeout: timeLimit(timeout),
    killSignal: 'SIGKILL',
    ...(cwd ? { cwd } : {}),
  });
  let stdout = '';
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const status = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 0));
  });
  return { status, stdout, output, took: performance.now() - began };
}

/** Runs a command that must succeed. */
export async function command(file: string, args: readonly string[], options?: CommandOptions): Promise<Finished> {
  const finished = await tryCommand(file, args, options);
  if (finished.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${finished.status}\n${finished.output}`);
  return finished;
}
