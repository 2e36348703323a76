import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { commandLine } from '../helpers/command-line.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { type Counts, NO_COUNTS, readCounts } from './counts.ts';

/** `timed`: what promises times needs the machine to itself, and runs last. */
export type Lane = 'cpu' | 'real' | 'timed';

/** One process. */
export interface Job {
  name: string;
  command: readonly string[];
  lane: Lane;
  /** Whether it writes TAP, whose assertions count. Otherwise it counts as one. */
  tap: boolean;
}

export interface Result {
  job: Job;
  counts: Counts;
  /** Standard output and error. */
  output: string;
  seconds: number;
  /** What is wrong apart from assertions that failed. */
  problem?: string;
}

/** Milliseconds without a word until a process counts as hung: longer than any test may take. */
const SILENCE = timeLimit(600_000);
/** Milliseconds for tap to say which test hangs, and on what. */
const LAST_WORDS = 5000;

/** Runs a job to its end. Its output is kept in a file of `folder`. */
export async function runJob(job: Job, folder: string, env: NodeJS.ProcessEnv): Promise<Result> {
  const file = join(folder, `${job.name}.tap`);
  await mkdir(dirname(file), { recursive: true });
  const log = createWriteStream(file);
  const began = performance.now();
  const [first = '', ...others] = job.command;
  const [program, args] = commandLine(first, others);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let hung = false;
  const silence = setTimeout(() => {
    hung = true;
    child.kill('SIGALRM');
    setTimeout(() => child.kill('SIGKILL'), LAST_WORDS).unref();
  }, SILENCE);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', () => silence.refresh());
    stream.pipe(log, { end: false });
  }
  const end = await new Promise<number | string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 0));
  });
  const ended = hung ? `a signal, since it said nothing for ${SILENCE / 1000} s` : end;
  clearTimeout(silence);
  await finished(log.end());
  const output = await readFile(file, 'utf8');
  return { job, output, seconds: (performance.now() - began) / 1000, ...judge(job, output, ended) };
}

function judge(job: Job, output: string, ended: number | string): Pick<Result, 'counts' | 'problem'> {
  if (!job.tap) return { counts: { ...NO_COUNTS, [ended === 0 ? 'passed' : 'failed']: 1 } };
  const counts = readCounts(output) ?? NO_COUNTS;
  const fail = (problem: string) => ({ counts: { ...counts, failed: counts.failed + 1 }, problem });
  if (counts.passed + counts.failed + counts.skipped === 0) return fail('it counted no test');
  if (ended !== 0 && counts.failed === 0) return fail(`it ended with ${ended}`);
  return { counts };
}
