import type { Section } from './section.ts';

/** What is kept of a run: how its numbers came about. */
export interface RecordedRun {
  /** Arguments of the command. */
  args: readonly string[];
  /** ISO 8601. */
  began: string;
  ended: string;
  /** Of the last minute, before and after. */
  loads: { began: number; ended: number };
  /** What it ran on, one line each. */
  machine: readonly string[];
  /** Parts that could not be measured at all, and why. */
  failures: readonly string[];
}

export type RecordedSection = Omit<Section, 'details'> & {
  /** Its run, as an index. */
  run: number;
};

/** All that is recorded: each section as the last run had it that measured it. */
export interface Records {
  runs: RecordedRun[];
  sections: RecordedSection[];
}

/** What a run has measured takes the place of what was there; what it has not measured stays, with the run that it is of. */
export function withRun({ runs, sections }: Records, measured: readonly Section[], run: RecordedRun): Records {
  const fresh = measured.map(
    ({ details: _details, ...section }): RecordedSection => ({ ...section, run: runs.length }),
  );
  const isKnown = ({ title }: Section) => sections.some((one) => one.title === title);
  const merged = [
    ...sections.map((old) => fresh.find(({ title }) => title === old.title) ?? old),
    ...fresh.filter((one) => !isKnown(one)),
  ];
  const all = [...runs, run];
  const used = all.filter((one, index) => one === run || merged.some((section) => section.run === index));
  return {
    runs: used,
    sections: merged.map((section) => ({ ...section, run: used.indexOf(all[section.run] ?? run) })),
  };
}
