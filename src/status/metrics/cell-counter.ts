import { Counter, type Registry } from 'prom-client';

/** A counter of prom-client whose samples are taken at each scrape from what was counted elsewhere. */
export function cellCounter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
  samples: () => Iterable<readonly [labels: readonly string[], value: number]>,
): Counter<Label> {
  return new Counter({
    name: `breakwater_${name}`,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const [labels, value] of samples()) this.labels(...labels).inc(value);
    },
  });
}
