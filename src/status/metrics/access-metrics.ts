import type { Registry } from 'prom-client';
import type { Observer, RequestRecord } from '../../proxy/request-record.ts';
import { cellCounter } from './cell-counter.ts';

type Result = 'granted' | 'remembered' | 'break-glass' | 'refused' | 'limited' | 'unavailable' | 'invalid';

const BY_STATUS: Record<number, Result> = { 200: 'granted', 401: 'refused', 429: 'limited', 503: 'unavailable' };

/** Who was let in, and on whose word. */
export class AccessMetrics implements Observer {
  // All there from the start: Prometheus does not see a series begin.
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
      'Requests for tokens: granted; on what was remembered of an authority that could not be asked; to break-glass users meanwhile; refused to wrong passwords; held back after too many of them; unavailable, because nobody could say; invalid.',
      ['result'],
      () => Object.entries(this.#tokens).map(([result, count]): [string[], number] => [[result], count]),
    );
  }

  record({ kind, status, grant }: RequestRecord): void {
    if (kind === 'token') this.#tokens[grant ?? BY_STATUS[status] ?? 'invalid'] += 1;
  }
}
