import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { commandLine } from './command-line.ts';
import type { Owner } from './temporary-folder.ts';
import { timeLimit } from './time-limit.ts';
import { until } from './until.ts';

export interface ProgramOptions {
  command: string;
  args: string[];
  /** File for standard output and standard error; added to. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** A real process that runs until it is stopped, or until the test ends, however it ends. */
export class Program {
  readonly #options: ProgramOptions;
  #child: ChildProcess | undefined;
  #from = 0;

  constructor(owner: Owner, options: ProgramOptions) {
    this.#options = options;
    owner.teardown(() => this.kill());
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    if (!this.#child?.pid) throw new Error(`${this.#options.command} does not run`);
    return this.#child.pid;
  }

  start(): void {
    const { command, args, logFile, env, cwd } = this.#options;
    const log = openSync(logFile, 'a');
    this.#from = readFileSync(logFile).length;
    const [file, line] = commandLine(command, args);
    this.#child = spawn(file, line, {
      stdio: ['ignore', log, log],
      env: env ?? process.env,
      ...(cwd ? { cwd } : {}),
    });
    this.#child.on('error', (error) => process.stderr.write(`${command}: ${error.message}\n`));
    closeSync(log);
  }

  /** All it wrote, over all its starts. */
  log(): string {
    return readFileSync(this.#options.logFile, 'utf8');
  }

  /** Waits for something in what it has written since its last start. */
  async waitForLog(pattern: RegExp, timeout = 15_000): Promise<RegExpExecArray> {
    const look = () => pattern.exec(readFileSync(this.#options.logFile).subarray(this.#from).toString());
    return until(
      () => {
        const found = look();
        if (!found && !this.running) throw new Error(`${this.#options.command} ended:\n${this.log().slice(-2000)}`);
        return found ?? undefined;
      },
      { timeout, what: () => `${pattern} in the log of ${this.#options.command}:\n${this.log().slice(-2000)}` },
    );
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Resolves with the exit status, or with the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals> {
    const child = this.#child;
    if (!child) throw new Error(`${this.#options.command} was never started`);
    if (this.running) await once(child, 'exit');
    return child.exitCode ?? child.signalCode ?? 0;
  }

  /** SIGKILL, also to a stopped process. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.signal('SIGKILL');
    await this.ended();
  }

  /** SIGTERM, and SIGKILL for one that does not go. Resolves with how it ended. */
  async stop(patience = 10_000): Promise<number | NodeJS.Signals> {
    if (!this.running) return this.ended();
    this.signal('SIGTERM');
    const late = setTimeout(() => this.signal('SIGKILL'), timeLimit(patience));
    try {
      return await this.ended();
    } finally {
      clearTimeout(late);
    }
  }
}
