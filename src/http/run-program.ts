import { type ChildProcess, spawn } from 'node:child_process';

export interface ProgramOptions {
  program: string;
  args: readonly string[];
  /** Of this process. Only PATH and HOME reach the program. */
  environment: NodeJS.ProcessEnv;
  /** Variables that reach the program besides. */
  variables?: Record<string, string>;
  /** Default: that of this process. */
  cwd?: string;
  /** What the program reads. Default: nothing. */
  input?: string;
  /** Whether what it writes to standard error is output, too. */
  withErrors: boolean;
  /** Takes output. @returns false: it is too much, and the program is ended */
  take: (output: Buffer) => boolean;
  /** Milliseconds. */
  timeout: number;
  signal?: AbortSignal;
}

/** How a run was over. */
export type ProgramEnd =
  /** An exit status, or a signal. */
  | { how: 'ended'; status: number | string }
  /** Breakwater has ended it, or has not begun it. */
  | { how: 'late' | 'stopped' | 'flooded' }
  | { how: 'not started'; code: string };

/**
 * Runs a program in bounds, and puts the boundary of rule 12 around it: whatever happens to it ends this run and nothing else.
 * @returns never rejects, and resolves within the timeout
 */
export async function runProgram(options: ProgramOptions): Promise<ProgramEnd> {
  const { input, take, timeout, signal } = options;
  // An event that is over is not heard.
  if (signal?.aborted) return { how: 'stopped' };
  const { promise, resolve } = Promise.withResolvers<ProgramEnd>();
  let child: ChildProcess;
  try {
    child = start(options);
  } catch (error) {
    return notStarted(error);
  }
  // First of all: without a free descriptor there are no streams, only this event.
  child.on('error', (error) => resolve(notStarted(error)));
  child.once('close', (code, by) => resolve({ how: 'ended', status: code ?? by ?? 'an unknown status' }));
  const { stdin, stdout, stderr } = child;
  const end = (how: 'late' | 'stopped' | 'flooded') => {
    killGroup(child.pid);
    // A program that has left the group may hold the pipes open, and one that waits for a dead disk does not end.
    stdout?.destroy();
    stderr?.destroy();
    child.unref();
    resolve({ how });
  };
  for (const stream of [stdout, stderr])
    stream?.on('error', ignore).on('data', (chunk: Buffer) => {
      if (!take(chunk)) end('flooded');
    });
  // A program that ends without reading closes the pipe.
  stdin?.on('error', ignore).end(input);
  const timer = setTimeout(end, timeout, 'late');
  const stop = () => end('stopped');
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function start({ program, args, environment, variables, cwd, input, withErrors }: ProgramOptions): ChildProcess {
  const { PATH = '', HOME = '' } = environment;
  return spawn(program, args, {
    env: { PATH, HOME, ...variables },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', withErrors ? 'pipe' : 'ignore'],
    // A process group of its own, so that what the program starts ends with it.
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
}

function notStarted(error: unknown): ProgramEnd {
  const { code, message } = error as NodeJS.ErrnoException;
  return { how: 'not started', code: code ?? message };
}

/** Ends the program and what it has started. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended.
  }
}

function ignore(): void {}
