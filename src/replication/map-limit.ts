/**
 * Does something with each of them, so many at once. After a failure none is begun any more; it is thrown when those under way have ended,
 * so that nothing goes on behind the back of who asked.
 * @throws the first failure
 */
export async function takeTurns<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  let failed: { error: unknown } | undefined;
  const go = async () => {
    while (!failed) {
      const next = rest.next();
      if (next.done) return;
      try {
        await work(next.value);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, go));
  if (failed) throw failed.error;
}
