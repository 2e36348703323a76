/** Most runs that are spent on making one find smaller. */
const MAX_TRIES = 150;

/**
 * Leaves out steps for as long as what is left is still wrong: first halves, then ever smaller parts.
 * @param isWrong whether a schedule of these steps breaks the same rule
 */
export async function shrinkSteps<T>(
  steps: readonly T[],
  isWrong: (fewer: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let left = steps;
  let tries = 0;
  for (let size = Math.ceil(left.length / 2); size >= 1; ) {
    const before = left.length;
    for (let at = 0; at < left.length && tries < MAX_TRIES; ) {
      const fewer = [...left.slice(0, at), ...left.slice(at + size)];
      tries += 1;
      if (await isWrong(fewer)) left = fewer;
      else at += size;
    }
    if (tries >= MAX_TRIES) break;
    // Once more with single steps, because a step may have been needed only by one that is gone now.
    if (size === 1 && left.length === before) break;
    size = Math.max(1, Math.floor(size / 2));
  }
  return left;
}
