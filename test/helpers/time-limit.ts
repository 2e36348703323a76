const factor = Number(process.env.TEST_PATIENCE ?? 1);
if (!(factor > 0)) throw new Error(`TEST_PATIENCE is a factor above 0, not ${process.env.TEST_PATIENCE}`);

/** A bound of time in tests, in milliseconds on a quiet machine. A busy one gets more: `TEST_PATIENCE=4` makes each four times as long. */
export function timeLimit(ms: number): number {
  return ms * factor;
}
