import type { Frame } from './recording.ts';

export interface PictureOptions {
  frames: readonly Frame[];
  /** Milliseconds of the recording; the last frame stays for `hold` more. */
  length: number;
  hold: number;
  windows: readonly { title: string; columns: number; rows: number }[];
  /** Lines below the windows, each from some moment on. */
  captions: readonly { at: number; text: string }[];
  /** For those who do not see it. */
  description: string;
}

/** One line of a window from `from` until `to`, in milliseconds. */
interface Run {
  window: number;
  row: number;
  from: number;
  to: number;
  text: string;
}

const CELL = { width: 7.8, height: 17 };
const FONT = 13;
const PAD = 14;
const TITLE = 26;
const GAP = 12;
const CAPTION = 40;
const SGR = /\x1b\[([\d;]*)m/;
const COLOURS: Record<string, string> = {
  '31': 'r',
  '32': 'g',
  '33': 'y',
  '34': 'b',
  '36': 'c',
  '1': 'o',
};

/** An animated SVG of a recorded terminal: CSS only, which runs in an image of a README. Without motion it shows the last frame. */
export function terminalSvg(options: PictureOptions): string {
  const { frames, length, hold, windows, captions, description } = options;
  const total = length + hold;
  const width = Math.round(Math.max(...windows.map(({ columns }) => columns)) * CELL.width + 2 * PAD);
  const tops = windows.map((_, index) => windows.slice(0, index).reduce((sum, one) => sum + heightOf(one) + GAP, 0));
  const bottom = (tops.at(-1) ?? 0) + heightOf(windows.at(-1) ?? { rows: 0 });
  const clock = new Clock(total);
  const lines = runsOf(frames, total).map(({ window, row, from, to, text }) => {
    const y = (tops[window] ?? 0) + TITLE + PAD + row * CELL.height;
    return `<text x="${PAD}" y="${y}"${clock.attribute(from, to)}>${coloured(text)}</text>`;
  });
  const said = captions.map(({ at, text }, index) => {
    const shown = clock.attribute(at, captions[index + 1]?.at ?? total, 's');
    return `<text x="${width / 2}" y="${bottom + GAP + 26}"${shown}>${escaped(text)}</text>`;
  });
  const frame = windows.map(({ title, rows }, index) => {
    const top = tops[index] ?? 0;
    const card = `<rect x=".5" y="${top + 0.5}" width="${width - 1}" height="${heightOf({ rows })}" rx="8" class="w"/>`;
    return `${card}<text class="t" x="${width / 2}" y="${top + 18}">${escaped(title)}</text>`;
  });
  const height = Math.round(bottom + GAP + CAPTION + 1);
  frame.push(`<rect x=".5" y="${bottom + GAP + 0.5}" width="${width - 1}" height="${CAPTION}" rx="8" class="w"/>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(description)}</title>`,
    `<style>${STYLE}${clock.style()}</style>`,
    ...frame,
    `<g xml:space="preserve">`,
    ...lines,
    `</g>`,
    ...said,
    '</svg>',
    '',
  ].join('\n');
}

// Everything stands on dark cards, which can be read on a light page and on a dark one.
const STYLE = [
  `text{font:${FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d6deeb;white-space:pre}`,
  '.w{fill:#101820;stroke:#3b4a5a}',
  '.t{fill:#8fa3b8;text-anchor:middle}',
  '.s{font:600 17px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#fff;text-anchor:middle}',
  '.r{fill:#ff7b72}.g{fill:#7ee787}.y{fill:#e3b341}.b{fill:#79c0ff}.c{fill:#76e3ea}.o{font-weight:700}',
].join('');

/** The times at which lines are shown, each pair of them one animation. */
class Clock {
  readonly #total: number;
  readonly #spans = new Map<string, string>();

  constructor(total: number) {
    this.#total = total;
  }

  /** The attribute of an element that is visible from `from` until `to`, and has a class of its own besides if one is given. */
  attribute(from: number, to: number, style = ''): string {
    if (from <= 0 && to >= this.#total) return style === '' ? '' : ` class="${style}"`;
    const key = `${this.#percent(from)} ${this.#percent(to)}`;
    const name = this.#spans.get(key) ?? `k${this.#spans.size}`;
    this.#spans.set(key, name);
    return ` class="${style === '' ? name : `${style} ${name}`}"`;
  }

  style(): string {
    const seconds = (this.#total / 1000).toFixed(1);
    const rules = [...this.#spans].map(([key, name]) => {
      const [from = 0, to = 100] = key.split(' ').map(Number);
      const begin = from > 0 ? `0%{opacity:0}${from}%{opacity:1}` : '0%{opacity:1}';
      const end = to < 100 ? `${to}%,to{opacity:0}` : 'to{opacity:1}';
      // Without motion only what is there at the end is shown.
      const still = to < 100 ? 'opacity:0;' : '';
      return `.${name}{${still}animation:${name} ${seconds}s step-end infinite}@keyframes ${name}{${begin}${end}}`;
    });
    return `${rules.join('')}@media(prefers-reduced-motion:reduce){text{animation:none!important}}`;
  }

  #percent(at: number): number {
    return Math.min(100, Math.round((at / this.#total) * 10_000) / 100);
  }
}

function heightOf({ rows }: { rows: number }): number {
  return TITLE + rows * CELL.height + PAD;
}

/** Every line of every window once for as long as it stays the same. */
function runsOf(frames: readonly Frame[], total: number): Run[] {
  const runs: Run[] = [];
  const open = new Map<string, Run>();
  for (const [index, { at, windows }] of frames.entries()) {
    const from = index === 0 ? 0 : at;
    for (const [window, lines] of windows.entries()) {
      for (const [row, text] of lines.entries()) {
        const key = `${window}/${row}`;
        const before = open.get(key);
        if (before?.text === text) continue;
        if (before) before.to = from;
        const run = { window, row, from, to: total, text };
        open.set(key, run);
        runs.push(run);
      }
    }
  }
  return runs.filter(({ text, from, to }) => to > from && text.trim() !== '');
}

/** Text with its colours as elements. */
function coloured(text: string): string {
  const [first = '', ...rest] = text.trimEnd().split(SGR);
  let out = escaped(first);
  for (let index = 0; index < rest.length; index += 2) {
    const codes = (rest[index] ?? '').split(';');
    const part = escaped(rest[index + 1] ?? '');
    const names = codes.flatMap((code) => COLOURS[code] ?? []);
    out += names.length > 0 && part !== '' ? `<tspan class="${names.join(' ')}">${part}</tspan>` : part;
  }
  return out;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
