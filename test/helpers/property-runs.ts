const share = Number(process.env.TEST_RUNS ?? 0.1);
if (!(share > 0))
  throw new Error(`TEST_RUNS is a share above 0 of all runs of a property, not ${process.env.TEST_RUNS}`);
/** Fewer say nothing. */
const LEAST = 15;

/** How many inputs a property is tried with: all of `whole` in `npm run test:long`, a tenth elsewhere. */
export function propertyRuns(whole: number): number {
  return Math.max(Math.min(whole, LEAST), Math.round(whole * share));
}

/**
 * How often a case must at least have come up among the runs, given how often it must among all of them. Few runs vary more: of a rare
 * case, a share of the runs may have none.
 */
export function leastSeen(whole: number): number {
  return share < 1 ? Math.max(Math.floor((whole * share) / 2) - 5, -1) : whole;
}
