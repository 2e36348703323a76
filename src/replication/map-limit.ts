/**
 * Does something with each of them, so many at once. After a failure none is begun any more; it is thrown when those under way have ended,
 * so that nothing goes on behind the back of who asked.
 * @throws the first failure
 */
export async function mapLimit<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const remaining = items.values();
  let failed: { error: unknown } | undefined;
  const worker = async () => {
    while (!failed) {
      const next = remaining.next();
      if (next.done) return;
      try {
        await work(next.value);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  if (failed) throw failed.error;
}
