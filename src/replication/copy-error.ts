export interface CopyErrorOptions {
  passing?: boolean;
  restMs?: number;
  status?: number;
  cause?: unknown;
}

/**
 * Why something could not be copied, in words for the operator. `passing`: it may go by itself, so that it is worth trying again;
 * `restMs`: but not sooner than that, in milliseconds; `status`: of the answer that it was.
 */
export class CopyError extends Error {
  override readonly name = 'CopyError';
  readonly passing: boolean;
  readonly restMs: number | undefined;
  readonly status: number | undefined;

  constructor(message: string, options: CopyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.passing = options.passing ?? false;
    this.restMs = options.restMs;
    this.status = options.status;
  }
}
