import { UpstreamError } from '../upstream/upstream-error.ts';

export interface CopyErrorOptions {
  retryable?: boolean;
  retryAfterMs?: number;
  status?: number;
  cause?: unknown;
}

/**
 * Why a copy failed, in words for the operator. `retryable`: a later try may succeed. `retryAfterMs`: the registry asked for a pause of so
 * many milliseconds. `status`: HTTP status of the answer.
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

/** Whether a registry refused something, so that a retry would be refused too. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof CopyError) return !error.retryable;
  return error instanceof UpstreamError && error.reason === 'credentials';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a registry cannot tell is unknown. @throws all but failures of the registry */
export async function orUnknown<T>(asked: Promise<T>, unknown: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof CopyError || error instanceof UpstreamError) return unknown;
    throw error;
  }
}
