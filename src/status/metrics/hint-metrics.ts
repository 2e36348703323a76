import type { Registry } from 'prom-client';
import type { Observer, RequestRecord } from '../../proxy/request-record.ts';
import { cellCounter } from './cell-counter.ts';

type Hints = NonNullable<RequestRecord['hints']>;

/** Who told of changes that copies are to follow. */
export class HintMetrics implements Observer {
  // All there from the start: Prometheus does not see a series begin.
  readonly #hints: Record<Hints['from'], Omit<Hints, 'from'>> = {
    edge: { push: 0, delete: 0 },
    harbor: { push: 0, delete: 0 },
    distribution: { push: 0, delete: 0 },
  };

  constructor(registry: Registry) {
    cellCounter(
      registry,
      'hints_total',
      'Word of a change on a push upstream that copies are made of: from a push through the edge, or from a hook.',
      ['from', 'kind'],
      () =>
        Object.entries(this.#hints).flatMap(([from, { push, delete: deleted }]): [string[], number][] => [
          [[from, 'push'], push],
          [[from, 'delete'], deleted],
        ]),
    );
  }

  record({ hints }: RequestRecord): void {
    if (!hints) return;
    const counted = this.#hints[hints.from];
    counted.push += hints.push;
    counted.delete += hints.delete;
  }
}
