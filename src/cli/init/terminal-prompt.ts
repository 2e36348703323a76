import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UsageError } from '../config-path.ts';

/** Asks a person. Questions go to standard error, so that standard output has only the result. */
export interface Prompt {
  ask(question: string): Promise<string>;
  /** The same without showing what is typed. Spaces around the answer count. */
  askHidden(question: string): Promise<string>;
  print(line: string): void;
  /** Gives the terminal back. A later question takes it again. */
  close(): void;
}

/** @returns undefined: there is no terminal, so nobody can be asked */
export function openPrompt(): Prompt | undefined {
  return process.stdin.isTTY === true && process.stderr.isTTY === true ? new TerminalPrompt() : undefined;
}

export class TerminalPrompt implements Prompt {
  readonly #input: NodeJS.ReadableStream;
  readonly #output: NodeJS.WritableStream;
  #lines: Interface | undefined;
  #hidden = false;

  constructor(input: NodeJS.ReadableStream = process.stdin, output: NodeJS.WritableStream = process.stderr) {
    this.#input = input;
    this.#output = output;
  }

  async ask(question: string): Promise<string> {
    return (await this.#answer(this.#open(), question)).trim();
  }

  async askHidden(question: string): Promise<string> {
    // Opened before the question is shown: until then, the terminal itself shows what is typed.
    const lines = this.#open();
    this.#output.write(question);
    this.#hidden = true;
    try {
      return await this.#answer(lines, '');
    } finally {
      this.#hidden = false;
      this.#output.write('\n');
    }
  }

  print(line: string): void {
    this.#output.write(`${line}\n`);
  }

  close(): void {
    this.#lines?.close();
    this.#lines = undefined;
  }

  async #answer(lines: Interface, question: string): Promise<string> {
    try {
      return await lines.question(question);
    } catch (error) {
      // Ctrl-C and Ctrl-D abort the question.
      if (error instanceof Error && error.name === 'AbortError')
        throw new UsageError('the questions were not answered; nothing was written');
      throw error;
    }
  }

  /** One for all questions, so that lines which are typed ahead are not lost. While it is open, Ctrl-C is a key and no signal. */
  #open(): Interface {
    const output = new Writable({
      write: (chunk, _encoding, done) => {
        if (!this.#hidden) this.#output.write(chunk);
        done();
      },
    });
    this.#lines ??= createInterface({ input: this.#input, output, terminal: true, historySize: 0 });
    return this.#lines;
  }
}
