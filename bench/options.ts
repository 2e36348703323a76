import { parseArgs } from 'node:util';
import { ITEMS, PARTS, Selection } from './selection.ts';

export const PROXIES = ['edge', 'nginx', 'HAProxy', 'Caddy'] as const;
export type ProxyName = (typeof PROXIES)[number];

export interface Options {
  selection: Selection;
  /** Proxies to measure, in the order of `PROXIES`. */
  proxies: readonly ProxyName[];
  /** Small sizes, one round, short outages: shows that the benchmark works, and not how fast anything is. */
  short: boolean;
  /** Write bench/RESULTS.md, its charts and results.json. */
  record: boolean;
  /** Print the details behind the numbers. */
  details: boolean;
  /** Size of the blob. */
  mib: number;
  /** Measurements of each proxy; the median counts. */
  rounds: number;
  /** Further rounds that do not count: they fill the page cache and buffers, and compile code. */
  warmUps: number;
}

export const USAGE = `usage: npm run bench -- [--short] [--record] [--details] [--only PART[:ITEM]]... [--proxies NAME,...] [--mib N] [--rounds N]
${PARTS.map((part) => `  ${part}: ${ITEMS[part].join(', ')}`).join('\n')}
  proxies: ${PROXIES.join(', ')}`;

/** @throws TypeError for an unknown option */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      details: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      proxies: { type: 'string' },
      mib: { type: 'string' },
      rounds: { type: 'string' },
    },
  });
  const { short, record, details } = values;
  if (short && record) throw new TypeError('--short measures nothing worth recording');
  if (record && values.only?.some((text) => text.includes(':')))
    throw new TypeError('--record takes whole parts: what is recorded of a part is one table');
  return {
    selection: new Selection(
      (values.only ?? []).flatMap((text) => text.split(',')),
      short,
    ),
    proxies: values.proxies === undefined ? PROXIES : proxies(values.proxies.split(',')),
    short,
    record,
    details,
    // CPU time is counted in hundredths of a second. With a much smaller blob a proxy would seem to need none.
    mib: count('mib', values.mib, short ? 64 : 512),
    rounds: count('rounds', values.rounds, short ? 1 : 3),
    warmUps: short ? 0 : 1,
  };
}

function proxies(names: readonly string[]): ProxyName[] {
  const asked = names.map((name) => {
    const known = PROXIES.find((one) => one.toLowerCase() === name.toLowerCase());
    if (!known) throw new TypeError(`--proxies ${name}: ${PROXIES.join(', ')}`);
    return known;
  });
  return PROXIES.filter((one) => asked.includes(one));
}

function count(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 8192) throw new TypeError(`--${name} ${text}: 1 to 8192`);
  return value;
}
