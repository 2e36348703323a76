import type { Registry } from 'prom-client';
import type { Observer, RequestRecord } from '../../proxy/request-record.ts';
import { cellCounter } from './cells.ts';

type Result = 'granted' | 'remembered' | 'break-glass' | 'refused' | 'limited' | 'unavailable' | 'invalid';

const BY_STATUS: Record<number, Result> = { 200: 'granted', 401: 'refused', 429: 'limited', 503: 'unavailable' };

/** Counts requests for tokens by their result. */
export class AccessMetrics implements Observer {
  // Every series exists from the start, because Prometheus does not see an increase from nothing to 1.
  readonly #tokens: Record<Result, number> = {
    granted: 0,
    remembered: 0,
    'break-glass': 0,
    refused: 0,
    limited: 0,
    unavailable: 0,
    invalid: 0,
  };

  constructor(registry: Registry) {
    cellCounter(
      registry,
      'tokens_total',
      'Requests for tokens. remembered: granted as before, because the deciding upstream did not answer. break-glass: granted to a break-glass user. limited: too many wrong passwords. unavailable: could not be decided.',
      ['result'],
      () => Object.entries(this.#tokens).map(([result, count]): [string[], number] => [[result], count]),
    );
  }

  record({ kind, status, grant }: RequestRecord): void {
    if (kind === 'token') this.#tokens[grant ?? BY_STATUS[status] ?? 'invalid'] += 1;
  }
}
