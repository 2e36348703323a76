/**
 * Runs `work` for every item, with limited concurrency. After a failure no further item is started; the first failure is thrown once the
 * running ones have ended, so that no work continues after the call.
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
