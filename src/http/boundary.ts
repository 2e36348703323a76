/** What a boundary does with an exception. */
export interface BoundaryOptions<Args extends unknown[]> {
  /** Ends the exchange, connection or session of the callback, and nothing else. Omitted: there is nothing to end. */
  end?: (...args: Args) => void;
  /** Called after that with the exception. */
  onError: (error: unknown) => void;
}

/**
 * Puts a boundary around a callback (rule 12): its exceptions, and the rejections of its promise, end what the callback
 * served and nothing else. Without a boundary, an exception of one exchange would end the process.
 * @returns the callback's result; undefined if it threw
 */
export function bounded<Args extends unknown[], Result>(
  callback: (...args: Args) => Result,
  { end, onError }: BoundaryOptions<Args>,
): (...args: Args) => Result | undefined {
  const failed = (error: unknown, args: Args) => {
    try {
      end?.(...args);
    } finally {
      onError(error);
    }
  };
  return (...args) => {
    try {
      const result = callback(...args);
      if (result instanceof Promise) result.catch((error: unknown) => failed(error, args));
      return result;
    } catch (error) {
      failed(error, args);
      return undefined;
    }
  };
}
