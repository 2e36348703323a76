import { spawn } from 'node:child_process';
import { kill } from 'node:process';

export interface DnsCommandOptions {
  /** Program and arguments. */
  command: readonly string[];
  /** Milliseconds for one run. */
  timeout: number;
  /** Default: that of this process. */
  env?: NodeJS.ProcessEnv;
}

/** Characters of the output that are kept: the end, where programs say why they failed. */
const KEPT = 4_096;
const SHOWN = 300;

/**
 * Runs the operator's program that changes DNS. It gets what to do as arguments, no shell, and an environment of PATH and HOME.
 * @throws Error that says how it failed, with the end of its output
 */
export function changeDns(
  { command, timeout, env = process.env }: DnsCommandOptions,
  action: 'add' | 'remove',
  record: string,
  value: string,
): Promise<void> {
  const [program = '', ...given] = command;
  const what = `the DNS command ${program} ${action} ${record}`;
  return new Promise((resolve, reject) => {
    let output = '';
    let late = false;
    const child = spawn(program, [...given, action, record, value], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: env.PATH ?? '', HOME: env.HOME ?? '' },
      // A group of its own, so that what it has started ends with it.
      detached: true,
    });
    const end = () => killGroup(child.pid);
    const timer = setTimeout(() => {
      late = true;
      end();
      // A program that left the group may hold the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeout);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-KEPT);
      });
    const over = (error?: string) => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(new Error(`${what} ${error}${lastWords(output)}`));
    };
    child.once('error', (error: NodeJS.ErrnoException) => over(`cannot be started: ${error.code ?? error.message}`));
    child.once('close', (code, signal) => {
      if (late) over(`took longer than ${timeout} ms and was ended`);
      else if (code === 0) over();
      else over(code === null ? `was ended by ${signal}` : `failed with exit status ${code}`);
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** The end of the output in one line of printable characters. */
function lastWords(output: string): string {
  const text = output
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(-SHOWN);
  return text === '' ? '' : `: ${text}`;
}
