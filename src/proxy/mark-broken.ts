import type { Failure } from '../failover/classify.ts';
import type { Exchange } from './exchange.ts';

/** The attempt that brought the body so far was good, and is not any more. */
export function markBroken(exchange: Exchange, reason: Failure, detail: string): void {
  const attempt = exchange.attempts.findLast(({ outcome }) => outcome === 'served');
  if (attempt) Object.assign(attempt, { outcome: 'failed', reason, detail });
}
