import type { Options } from './options.ts';

/**
 * Measures all contenders in every round, so that other load on the machine affects each of them. Warm-ups do not count. @returns the
 * measurements of each, in the order of `contenders`
 */
export async function interleave<C, M>(
  contenders: readonly C[],
  { rounds, warmUps }: Pick<Options, 'rounds' | 'warmUps'>,
  measure: (contender: C, warmUp: boolean) => Promise<M>,
): Promise<M[][]> {
  const measured: M[][] = contenders.map(() => []);
  for (let round = 1 - warmUps; round <= rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const result = await measure(contender, round < 1);
      if (round > 0) measured[index]?.push(result);
    }
  }
  return measured;
}
