import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UsageError } from '../config-path.ts';

/** Asks a person. Questions go to standard error, so that standard output has only the result. */
export interface Prompt {
  ask(question: string): Promise<string>;
  /** The same without showing what is typed. */
  askHidden(question: string): Promise<string>;
  print(line: string): void;
  /** Gives the terminal back. A later question takes it again. */
  close(): void;
}

/** @returns undefined: there is no terminal, so nobody can be asked */
export function openPrompt(): Prompt | undefined {
  return process.stdin.isTTY === true && process.stderr.isTTY === true ? new TerminalPrompt() : undefined;
}

class TerminalPrompt implements Prompt {
  #lines: Interface | undefined;
  #hidden = false;

  async ask(question: string): Promise<string> {
    // One for all questions, so that lines which are typed ahead are not lost. While it is open, Ctrl-C is a key and no signal.
    this.#lines ??= this.#open();
    try {
      return (await this.#lines.question(question)).trim();
    } catch (error) {
      // Ctrl-C and Ctrl-D abort the question.
      if (error instanceof Error && error.name === 'AbortError')
        throw new UsageError('the questions were not answered; nothing was written');
      throw error;
    }
  }

  async askHidden(question: string): Promise<string> {
    process.stderr.write(question);
    this.#hidden = true;
    try {
      return await this.ask('');
    } finally {
      this.#hidden = false;
      process.stderr.write('\n');
    }
  }

  print(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  close(): void {
    this.#lines?.close();
    this.#lines = undefined;
  }

  #open(): Interface {
    const output = new Writable({
      write: (chunk, _encoding, done) => {
        if (!this.#hidden) process.stderr.write(chunk);
        done();
      },
    });
    return createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  }
}
