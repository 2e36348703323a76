export interface CopyErrorOptions {
  retryable?: boolean;
  retryAfterMs?: number;
  status?: number;
  cause?: unknown;
}

/**
 * Why something could not be copied, in words for the operator. `passing`: it may go by itself, so that it is worth trying again;
 * `restMs`: but not sooner than that, in milliseconds; `status`: of the answer that it was.
 */
export class CopyError extends Error {
  override readonly name = 'CopyError';
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;

  constructor(message: string, options: CopyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}
