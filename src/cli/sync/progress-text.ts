import { ago, bytesText, countText } from '../text-format.ts';
import type { SyncTally } from './tally.ts';

export interface Progress {
  tally: SyncTally;
  /** Bytes a second; undefined if unknown. */
  rate: number | undefined;
  /** Milliseconds until the end; undefined if unknown. */
  left: number | undefined;
}

export interface TerminalSize {
  columns: number;
  rows: number;
  /** Whether bars are drawn with block characters instead of ASCII. */
  unicode: boolean;
}

const MAX_IMAGES = 8;
const MIN_COLUMNS = 40;

/** The progress as one line, for a log. */
export function progressLine(progress: Progress): string {
  return [imagesText(progress.tally), ...totals(progress)].join(', ');
}

/** The progress for a terminal: a bar for each image in progress, a bar of all images, and totals. No line is wider than the terminal. */
export function progressLines(progress: Progress, { columns, rows, unicode }: TerminalSize): string[] {
  const { tally } = progress;
  const width = Math.max(MIN_COLUMNS, columns) - 1;
  const shown = Math.max(1, Math.min(MAX_IMAGES, rows - 5));
  const images = [...tally.inProgress].slice(0, shown);
  const more = tally.inProgress.size - images.length;
  const nameWidth = Math.max(12, Math.floor(width / 2) - 4);
  const lines = [
    ...images.map(([{ repository, tag }, counts]) => {
      const name = shortened(`${repository.source}:${tag}`, nameWidth, unicode).padEnd(nameWidth);
      const amount = counts.expected === 0 ? 'comparing' : amountText(counts);
      return barLine(`  ${name} `, counts.sent / (counts.expected || 1), ` ${amount.padStart(19)}`, width, unicode);
    }),
    ...(more > 0 ? [`  and ${more} more`] : []),
    barLine('', tally.done / (tally.planned || 1), `  ${imagesText(tally)}`, width, unicode),
    totals(progress).join('   '),
  ];
  return lines.map((line) => shortened(line, width, unicode));
}

function totals({ tally, rate, left }: Progress): string[] {
  return [
    `${bytesText(tally.sent)} sent`,
    ...(rate === undefined ? [] : [`${bytesText(rate)}/s`]),
    ...(left === undefined ? [] : [`${ago(left)} left`]),
    ...(tally.failed > 0 ? [`${tally.failed.toLocaleString('en')} failed`] : []),
    ...(tally.same > 0 ? [`${tally.same.toLocaleString('en')} already there`] : []),
    ...(tally.listed ? [] : [`comparing ${tally.last}`.trimEnd()]),
  ];
}

function imagesText({ done, planned, listed }: SyncTally): string {
  return `${done.toLocaleString('en')} of ${listed ? '' : 'at least '}${countText(planned, 'image')}`;
}

/** `1.2 MB of 3.4 MB` */
function amountText({ sent, expected }: { sent: number; expected: number }): string {
  return `${bytesText(Math.min(sent, expected))} of ${bytesText(expected)}`;
}

function barLine(before: string, share: number, after: string, width: number, unicode: boolean): string {
  const length = width - before.length - after.length;
  return length < 4 ? before + after : before + bar(Math.min(1, share), length, unicode) + after;
}

function bar(share: number, length: number, unicode: boolean): string {
  const full = Math.floor(share * length);
  return (unicode ? '█' : '#').repeat(full) + (unicode ? '░' : '.').repeat(length - full);
}

/** Cuts a name in the middle, because both ends of an image's name identify it. */
function shortened(text: string, width: number, unicode: boolean): string {
  if (text.length <= width) return text;
  const dots = unicode ? '…' : '..';
  const head = Math.ceil((width - dots.length) / 2);
  return text.slice(0, head) + dots + text.slice(text.length - (width - dots.length - head));
}
