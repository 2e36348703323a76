/**
 * Why something could not be copied, in words for the operator. `passing`: it may go by itself, so that it is worth trying again;
 * `restMs`: but not sooner than that, in milliseconds.
 */
export class CopyError extends Error {
  override readonly name = 'CopyError';
  readonly passing: boolean;
  readonly restMs: number | undefined;

  constructor(message: string, options: { passing?: boolean; restMs?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.passing = options.passing ?? false;
    this.restMs = options.restMs;
  }
}
