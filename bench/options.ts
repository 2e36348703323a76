import { parseArgs } from 'node:util';

export const PARTS = ['blobs', 'manifests', 'outages'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  parts: readonly Part[];
  /** Tiny sizes, one round, one outage: whether it works, not how fast it is. */
  short: boolean;
  /** Write bench/RESULTS.md. */
  record: boolean;
  /** Size of the blob. */
  mib: number;
  /** Measurements of each proxy; the median counts. */
  rounds: number;
  /** Rounds before those that do not count: page cache, buffers, compiled code. */
  warmUps: number;
}

export const USAGE = `usage: npm run bench -- [--short] [--record] [--only ${PARTS.join('|')}] [--mib N] [--rounds N]`;

/** @throws TypeError for what is no option */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      mib: { type: 'string' },
      rounds: { type: 'string' },
    },
  });
  const { short, record } = values;
  if (short && record) throw new TypeError('--short measures nothing worth recording');
  return {
    parts: values.only ? values.only.map(part) : PARTS,
    short,
    record,
    // CPU time is counted in hundredths of a second: with much less a proxy may seem to need none.
    mib: count('mib', values.mib, short ? 64 : 512),
    rounds: count('rounds', values.rounds, short ? 1 : 5),
    warmUps: short ? 0 : 1,
  };
}

function part(name: string): Part {
  const known = PARTS.find((one) => one === name);
  if (!known) throw new TypeError(`--only ${name}: ${PARTS.join(', ')} are the parts`);
  return known;
}

function count(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 8192) throw new TypeError(`--${name} ${text}: 1 to 8192`);
  return value;
}
