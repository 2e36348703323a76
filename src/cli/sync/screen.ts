import { styleText } from 'node:util';
import { SyncPace } from './pace.ts';
import { type Progress, progressLine, progressLines } from './progress-text.ts';
import type { SyncTally } from './tally.ts';

/** Time between two drawings on a terminal. */
const DRAW_MS = 100;
/** Time between two progress lines where there is no terminal. */
const LINE_MS = 10_000;

/**
 * Shows the progress on standard error: bars on a terminal, otherwise a line every 10 seconds. Standard output has only results.
 */
export class SyncScreen {
  readonly #tally: SyncTally;
  readonly #pace = new SyncPace();
  readonly #out: NodeJS.WriteStream;
  readonly #bars: Bars | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(tally: SyncTally, out: NodeJS.WriteStream = process.stderr) {
    this.#tally = tally;
    this.#out = out;
    // A pseudo-terminal may have zero columns, where bars cannot be drawn.
    const terminal = out.isTTY === true && out.columns > 0 && out.rows > 0 && process.env.TERM !== 'dumb';
    this.#bars = terminal ? new Bars(out) : undefined;
    this.#timer = setInterval(() => this.#show(), terminal ? DRAW_MS : LINE_MS);
    this.#sample();
    this.#draw();
  }

  get hasBars(): boolean {
    return this.#bars !== undefined;
  }

  /** Writes a line of results above the bars. */
  line(text: string): void {
    // If standard output is no terminal, the line does not touch the bars.
    if (process.stdout.isTTY) this.#bars?.clear();
    process.stdout.write(`${text}\n`);
    if (process.stdout.isTTY) this.#draw();
  }

  /** Removes the bars. */
  end(): void {
    clearInterval(this.#timer);
    this.#bars?.clear();
  }

  #show(): void {
    this.#sample();
    if (this.#bars) this.#draw();
    else this.#out.write(`${progressLine(this.#progress())}\n`);
  }

  #sample(): void {
    this.#pace.sample(performance.now(), this.#tally.sent, imagesOf(this.#tally));
  }

  #draw(): void {
    if (!this.#bars) return;
    const { columns, rows } = this.#out;
    const lines = progressLines(this.#progress(), { columns, rows, unicode: isUnicodeTerminal() });
    this.#bars.draw(lines);
  }

  #progress(): Progress {
    const tally = this.#tally;
    const left = tally.listed ? this.#pace.timeFor(tally.planned - imagesOf(tally)) : undefined;
    return { tally, rate: this.#pace.rate, left };
  }
}

/** Lines on a terminal that are drawn again and again in the same place. */
class Bars {
  readonly #out: NodeJS.WriteStream;
  /** Lines that the terminal shows, with those that it wrapped. */
  #height = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  draw(lines: string[]): void {
    const shown = coloured(lines.join('\n'), this.#out);
    // One write, so that the terminal never shows the empty place.
    this.#out.write(`${this.#erasing()}${shown}\n`);
    for (const line of lines) this.#height += Math.max(1, Math.ceil(line.length / this.#out.columns));
  }

  clear(): void {
    if (this.#height > 0) this.#out.write(this.#erasing());
  }

  /** What takes the cursor to the first line, and erases all from there on (ECMA-48, CPL and ED). */
  #erasing(): string {
    const text = this.#height === 0 ? '' : `\x1b[${this.#height}F\x1b[J`;
    this.#height = 0;
    return text;
  }
}

/** Colours the text if the terminal has colours and NO_COLOR is not set. */
function coloured(text: string, stream: NodeJS.WriteStream): string {
  const style = (colour: 'green' | 'red' | 'gray') => (match: string) => styleText(colour, match, { stream });
  return text
    .replace(/█+/g, style('green'))
    .replace(/░+/g, style('gray'))
    .replace(/[\d,]+ failed/, style('red'));
}

/** Images done, with the parts of images in progress. */
function imagesOf({ done, inProgress }: SyncTally): number {
  let parts = 0;
  for (const { sent, expected } of inProgress.values()) parts += expected === 0 ? 0 : Math.min(sent / expected, 0.99);
  return done + parts;
}

function isUnicodeTerminal(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}
