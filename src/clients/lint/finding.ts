import type { Effect, Source } from './rule.ts';

/** What the linter says. A finding about a file itself, such as one that is broken, has no rule behind it and no source. */
export interface Finding {
  rule: string;
  effect: Effect;
  file: string;
  line: number;
  program?: string;
  subject?: string;
  happens: string;
  remedy: string;
  /** The versions for which it holds. It is a finding although the version is not known if `versionKnown` is false. */
  versions?: string;
  versionKnown?: boolean;
  source?: Source;
}
