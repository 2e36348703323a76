import type { Attempt } from '../failover/plan.ts';

/** Why an upstream is passed over. */
export const ROTTEN = 'its copy of the blob is rotten';

/**
 * Attempts at a blob by what is known of its copies. A rotten one is asked last for the whole, which is hashed before its end is sent and
 * may clear it; never for a part, which nobody could check.
 */
export function soundFirst(
  attempts: readonly Attempt[],
  isRotten: (upstream: string) => boolean,
  whole: boolean,
): Attempt[] {
  const sound = attempts.filter(({ upstream }) => !isRotten(upstream));
  if (!whole) return sound;
  const rotten = attempts.filter(({ upstream }) => isRotten(upstream));
  return [...sound, ...rotten.map((attempt) => ({ ...attempt, why: `last resort: ${ROTTEN}` }))];
}
