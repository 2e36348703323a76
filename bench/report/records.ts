import type { Section } from './section.ts';

/** The recorded facts about a run. */
export interface RecordedRun {
  /** Arguments of the command. */
  args: readonly string[];
  /** ISO 8601. */
  began: string;
  ended: string;
  /** Load averages of the last minute, before and after the run. */
  loads: { began: number; ended: number };
  /** The machine, one line for each fact. */
  machine: readonly string[];
  /** Parts that could not be measured, and why. */
  failures: readonly string[];
}

export type RecordedSection = Omit<Section, 'details'> & {
  /** Index of its run. */
  run: number;
};

/** All recorded results. Each section comes from the last run that measured it. */
export interface Records {
  runs: RecordedRun[];
  sections: RecordedSection[];
}

/** The sections of a new run replace the recorded ones. Other sections stay, with their own run. */
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
