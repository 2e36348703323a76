import { colourOf } from './colours.ts';

/** Horizontal bars in groups, readable on a light and on a dark background. */
export interface BarChart {
  /** Name of its file, without `.svg`. */
  name: string;
  title: string;
  /** Unit of the values. */
  unit: string;
  groups: { label: string; bars: Bar[] }[];
}

export interface Bar {
  /** Name that determines the colour. */
  series: string;
  /** If not finite, only the note is drawn. */
  value: number;
  /** Text behind the bar, with the value. */
  note: string;
}

const WIDTH = 860;
const LEFT = 275;
const RIGHT = 130;
const BAR = 13;
const GROUP_GAP = 12;
const LINE = 20;
const TOP = 64;

/** The drawing as an SVG file. */
export function drawBars({ title, unit, groups }: BarChart): string {
  const series = [...new Set(groups.flatMap(({ bars }) => bars.map((bar) => bar.series)))];
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value)).filter(Number.isFinite);
  const step = roundStep(Math.max(...values, 0));
  const most = Math.max(step, Math.ceil(Math.max(...values, 0) / step) * step);
  const across = (value: number) => (value / most) * (WIDTH - LEFT - RIGHT);
  const parts: string[] = [];
  let y = TOP;
  for (const { label, bars } of groups) {
    const middle = y + (bars.length * BAR) / 2 + 4;
    parts.push(text(LEFT - 10, middle, label, 'end'));
    for (const bar of bars) {
      const length = Number.isFinite(bar.value) ? Math.max(1, across(bar.value)) : 0;
      parts.push(
        `<rect x="${LEFT}" y="${y + 1}" width="${length.toFixed(1)}" height="${BAR - 2}" fill="${colourOf(bar.series)}"/>`,
      );
      parts.push(text(LEFT + length + 5, y + BAR - 3, bar.note, 'start', 'note'));
      y += BAR;
    }
    y += GROUP_GAP;
  }
  const height = y + 2 * LINE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    STYLE,
    text(10, 24, title, 'start', 'title'),
    ...legend(series),
    ...axis(step, most, across, y, unit),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

// One grey for both, because a page may be light on a system that prefers dark.
const STYLE = `<style>
text { font: 12px system-ui, sans-serif; fill: #727c86 }
.title { font-size: 15px; font-weight: 600 }
.note { font-size: 10.5px }
.grid { stroke: #8b949e; stroke-opacity: .35 }
</style>`;

function legend(series: readonly string[]): string[] {
  let x = 10;
  return series.flatMap((name) => {
    const at = x;
    x += 32 + name.length * 6.6;
    return [
      `<rect x="${at.toFixed(1)}" y="38" width="11" height="11" fill="${colourOf(name)}"/>`,
      text(at + 16, 48, name, 'start'),
    ];
  });
}

function axis(step: number, most: number, across: (value: number) => number, bottom: number, unit: string): string[] {
  const ticks = Array.from({ length: Math.round(most / step) + 1 }, (_, index) => index * step);
  return ticks.flatMap((tick) => {
    const x = (LEFT + across(tick)).toFixed(1);
    const label = tick === ticks.at(-1) ? `${number(tick)} ${unit}` : number(tick);
    return [
      `<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 4}" y2="${bottom - 4}"/>`,
      text(Number(x), bottom + 12, label, 'middle'),
    ];
  });
}

function text(x: number, y: number, content: string, anchor: string, kind?: string): string {
  const style = kind === undefined ? '' : ` class="${kind}"`;
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${style}>${escaped(content)}</text>`;
}

/** 1, 2 or 5 times a power of ten, so that there are about five steps. */
function roundStep(most: number): number {
  if (!(most > 0)) return 1;
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
}

function number(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
