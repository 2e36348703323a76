import type { Registry } from 'prom-client';
import type { Observer, RequestRecord } from '../../proxy/request-record.ts';
import { cellCounter } from './cells.ts';

type Hints = NonNullable<RequestRecord['hints']>;

/** Counts hints, which start copies, by sender. */
export class HintMetrics implements Observer {
  // Every series exists from the start, because Prometheus does not see an increase from nothing to 1.
  readonly #hints: Record<Hints['from'], Omit<Hints, 'from'>> = {
    edge: { push: 0, delete: 0 },
    harbor: { push: 0, delete: 0 },
    distribution: { push: 0, delete: 0 },
  };

  constructor(registry: Registry) {
    cellCounter(
      registry,
      'hints_total',
      'Events about replicated images, from pushes through the edge or from hooks. None from a hook while images are pushed: the hook is not set up.',
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
