import { clearLine, createInterface, cursorTo, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { LogOutput } from '../output/log-output.ts';
import { standardOutput } from '../output/standard-output.ts';
import { wrapWords } from './word-wrap.ts';

/** Milliseconds for the last lines to be read. */
const LAST_LINES_MS = 1_000;

/** Where the lab's lines go and come from: a prompt on a terminal, plain lines off it. */
export class LabConsole {
  readonly #prompt: Interface | undefined;
  readonly #output: LogOutput;
  readonly #screen: Screen;
  readonly interactive: boolean;
  #closed = false;

  /**
   * @param onLine gets what is typed, or piped in
   * @param onEnd told that there will be no more (only on a terminal, where it means "quit")
   * @param onDropped told in words that lines are missing
   */
  constructor(onLine: (line: string) => void, onEnd: () => void, onDropped: (text: string) => void) {
    const { stdin } = process;
    const terminal = stdin.isTTY === true && isatty(1);
    // A dumb terminal cannot erase the prompt where a line is to be written above it.
    this.interactive = terminal && process.env.TERM !== 'dumb';
    this.#output = new LogOutput({
      target: standardOutput(),
      onResumed: ({ lines, since }) => onDropped(`${lines} lines were dropped since ${since}: nothing read them`),
      // The reader of the output has closed it (`| head`).
      onError: (code) => code === 'EPIPE' && onEnd(),
    });
    this.#screen = new Screen(this.#output);
    // In the background of a terminal, reading from it would stop the process (SIGTTIN).
    if (!terminal && stdin.isTTY) return;
    this.#prompt = createInterface(
      this.interactive
        ? { input: stdin, output: this.#screen, prompt: 'lab> ', terminal: true }
        : { input: stdin, terminal: false },
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
    this.print(wrapWords(text, this.#screen.columns));
  }

  /** Writes lines, above the prompt if there is one. */
  print(text: string): void {
    if (!this.interactive || this.#closed) {
      this.#output.write(`${text}\n`, true);
      return;
    }
    clearLine(this.#screen, 0);
    cursorTo(this.#screen, 0);
    this.#output.write(`${text}\n`, true);
    this.#show();
  }

  /** No prompt any more; lines still come out. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.interactive) this.#output.write('\n', true);
    this.#prompt?.removeAllListeners('close');
    this.#prompt?.close();
  }

  /** Resolves when every line is written, or a second later. */
  async finish(): Promise<void> {
    this.close();
    await this.#output.finish(LAST_LINES_MS);
  }

  #show(): void {
    if (this.interactive && !this.#closed) this.#prompt?.prompt(true);
  }
}

/** The terminal as `readline` needs it. `process.stdout` would stop the lab while the terminal takes nothing, as after Ctrl-S. */
class Screen extends Writable {
  readonly #output: LogOutput;

  constructor(output: LogOutput) {
    super({ decodeStrings: false });
    this.#output = output;
    if (isatty(1)) process.stdout.on('resize', () => this.emit('resize'));
  }

  /** Undefined off a terminal. */
  get columns(): number | undefined {
    return isatty(1) ? process.stdout.columns : undefined;
  }

  override _write(text: string, _encoding: string, done: () => void): void {
    this.#output.write(text, true);
    done();
  }
}
