import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import { SyncPace } from './pace.ts';
import { type Progress, progressLine, progressLines } from './progress-text.ts';
import type { SyncTally } from './tally.ts';

/** Milliseconds between drawings on a terminal, … */
const DRAW_MS = 100;
/** … and between lines about the progress off it. */
const LINE_MS = 10_000;

/**
 * Where it is told how far it is: bars on a terminal, which is standard error, so that standard output has results alone; else a line now
 * and then, there as well.
 */
export class SyncScreen {
  readonly #tally: SyncTally;
  readonly #pace = new SyncPace();
  readonly #out: NodeJS.WriteStream;
  readonly #bars: ReturnType<typeof createLogUpdate> | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(tally: SyncTally, out: NodeJS.WriteStream = process.stderr) {
    this.#tally = tally;
    this.#out = out;
    // Bars need room, and a pseudo-terminal may be told none.
    const terminal = out.isTTY === true && out.columns > 0 && out.rows > 0 && process.env.TERM !== 'dumb';
    this.#bars = terminal ? createLogUpdate(out) : undefined;
    this.#timer = setInterval(() => this.#show(), terminal ? DRAW_MS : LINE_MS);
    this.#note();
    this.#draw();
  }

  /** Whether there are bars. */
  get drawn(): boolean {
    return this.#bars !== undefined;
  }

  /** Writes a line of results; bars stay below it. */
  line(text: string): void {
    // Only one of both may be a terminal; then there is nothing to make way for.
    if (process.stdout.isTTY) this.#bars?.clear();
    process.stdout.write(`${text}\n`);
    if (process.stdout.isTTY) this.#draw();
  }

  /** The bars go; what comes after them is the result. */
  end(): void {
    clearInterval(this.#timer);
    this.#bars?.clear();
    this.#bars?.done();
  }

  #show(): void {
    this.#note();
    if (this.#bars) this.#draw();
    else this.#out.write(`${progressLine(this.#progress())}\n`);
  }

  #note(): void {
    this.#pace.note(performance.now(), this.#tally.sent, imagesOf(this.#tally));
  }

  #draw(): void {
    if (!this.#bars) return;
    const { columns, rows } = this.#out;
    const lines = progressLines(this.#progress(), { columns, rows, unicode: speaksUnicode() });
    this.#bars(coloured(lines.join('\n'), this.#out));
  }

  #progress(): Progress {
    const tally = this.#tally;
    const left = tally.listed ? this.#pace.timeFor(tally.planned - imagesOf(tally)) : undefined;
    return { tally, rate: this.#pace.rate, left };
  }
}

/** As far as the terminal has colours, and NO_COLOR does not forbid them. */
function coloured(text: string, stream: NodeJS.WriteStream): string {
  const style = (colour: 'green' | 'red' | 'gray') => (match: string) => styleText(colour, match, { stream });
  return text
    .replace(/█+/g, style('green'))
    .replace(/░+/g, style('gray'))
    .replace(/[\d,]+ failed/, style('red'));
}

/** Images done, and the parts of those under way. */
function imagesOf({ done, underWay }: SyncTally): number {
  let parts = 0;
  for (const { sent, expected } of underWay.values()) parts += expected === 0 ? 0 : Math.min(sent / expected, 0.99);
  return done + parts;
}

function speaksUnicode(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}
