import { type ProgramEnd, runProgram } from '../http/run-program.ts';

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
export async function changeDns(
  { command, timeout, env: environment = process.env }: DnsCommandOptions,
  action: 'add' | 'remove',
  record: string,
  value: string,
): Promise<void> {
  const [program = '', ...given] = command;
  let output = '';
  const take = (chunk: Buffer) => {
    output = (output + chunk.toString('latin1')).slice(-KEPT);
    return true;
  };
  const args = [...given, action, record, value];
  const end = await runProgram({ program, args, environment, withErrors: true, take, timeout });
  if (end.how === 'ended' && end.status === 0) return;
  throw new Error(`the DNS command ${program} ${action} ${record} ${failureText(end, timeout)}${lastWords(output)}`);
}

function failureText(end: ProgramEnd, timeout: number): string {
  if (end.how === 'not started') return `cannot be started: ${end.code}`;
  if (end.how !== 'ended') return `took longer than ${timeout} ms and was ended`;
  return typeof end.status === 'number' ? `failed with exit status ${end.status}` : `was ended by ${end.status}`;
}

/** The end of the output in one line of printable characters. */
function lastWords(output: string): string {
  const text = output
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(-SHOWN);
  return text === '' ? '' : `: ${text}`;
}
