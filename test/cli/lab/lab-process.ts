import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export const BIN = fileURLToPath(new URL('../../../bin/breakwater', import.meta.url));
export const ANY = ['--port', '0', '--admin-port', '0', '--control-port', '0'];

/** The lab as a process, its standard output line by line. */
export class LabProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: string[] = [];
  #heard = Promise.withResolvers<void>();

  constructor(t: Test, args: string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(BIN, ['lab', ...args], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
    t.teardown(() => this.child.kill('SIGKILL'));
    const hear = (line?: string) => {
      if (line !== undefined) this.lines.push(line);
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    };
    createInterface({ input: this.child.stdout })
      .on('line', hear)
      .on('close', () => hear());
  }

  /** The first line, from `first` on, that matches. */
  async line(pattern: RegExp, first = 0): Promise<string> {
    for (;;) {
      const found = this.lines.slice(first).find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) throw new Error(`ended without ${pattern}:\n${this.lines.join('\n')}`);
      await this.#heard.promise;
    }
  }

  type(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}
