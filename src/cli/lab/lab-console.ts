import { clearLine, createInterface, cursorTo, type Interface } from 'node:readline';
import { wrapWords } from './word-wrap.ts';

/** Where the lab's lines go and come from: a prompt on a terminal, plain lines off it. */
export class LabConsole {
  readonly #prompt: Interface | undefined;
  readonly interactive: boolean;
  #closed = false;

  /** `onLine` gets what is typed, or piped in; `onEnd` that there will be no more (only on a terminal, where it means "quit"). */
  constructor(onLine: (line: string) => void, onEnd: () => void) {
    const { stdin, stdout } = process;
    const terminal = stdin.isTTY === true && stdout.isTTY === true;
    // A dumb terminal cannot erase the prompt where a line is to be written above it.
    this.interactive = terminal && process.env.TERM !== 'dumb';
    // Whoever read us is gone (`| head`).
    stdout.on('error', onEnd);
    // In the background of a terminal, reading from it would stop the process (SIGTTIN).
    if (!terminal && stdin.isTTY) return;
    this.#prompt = createInterface(
      this.interactive ? { input: stdin, output: stdout, prompt: 'lab> ' } : { input: stdin, terminal: false },
    );
    this.#prompt.on('line', (line) => {
      onLine(line);
      this.#show();
    });
    if (!terminal) return;
    this.#prompt.on('SIGINT', onEnd);
    this.#prompt.on('close', onEnd);
  }

  /** Writes text for people, its lines no longer than the terminal is wide. What is to be pasted elsewhere goes through `print`. */
  printWrapped(text: string): void {
    this.print(wrapWords(text, process.stdout.isTTY ? process.stdout.columns : undefined));
  }

  /** Writes lines, above the prompt if there is one. */
  print(text: string): void {
    if (!this.interactive || this.#closed) {
      process.stdout.write(`${text}\n`);
      return;
    }
    clearLine(process.stdout, 0);
    cursorTo(process.stdout, 0);
    process.stdout.write(`${text}\n`);
    this.#show();
  }

  /** No prompt any more; lines still come out. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.interactive) process.stdout.write('\n');
    this.#prompt?.removeAllListeners('close');
    this.#prompt?.close();
  }

  #show(): void {
    if (this.interactive && !this.#closed) this.#prompt?.prompt(true);
  }
}
