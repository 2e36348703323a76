import { Counter, Gauge, type Registry } from 'prom-client';

/** Label values, and what the metrics read their values from. */
export type Series<Source> = readonly [labels: readonly string[], source: Source];

/**
 * Adds metrics with the same labels and the values of one moment. The registry is made for one scrape, so series of upstreams that a
 * reload removed vanish. Equal labels add up.
 * @param metrics help and value by name; a null value is unknown and has no series
 */
export function addMetrics<Source>(
  registry: Registry,
  labelNames: string[],
  series: Iterable<Series<Source>>,
  metrics: Record<string, readonly [help: string, value: (source: Source) => number | null]>,
): void {
  const all = [...series];
  for (const [name, [help, read]] of Object.entries(metrics)) {
    const known = all.flatMap(([labels, source]) => {
      const value = read(source);
      return value === null ? [] : [[labels, value] as const];
    });
    // Without labels, prom-client would show a metric that was never set as 0.
    if (labelNames.length === 0 && known.length === 0) continue;
    const options = { name: `breakwater_${name}`, help, labelNames, registers: [registry] };
    const metric = name.endsWith('_total') ? new Counter(options) : new Gauge(options);
    for (const [labels, value] of known) metric.labels(...labels).inc(value);
  }
}

/** Adds a counter or gauge with one label. */
export function addCounts(
  registry: Registry,
  label: string,
  name: string,
  help: string,
  counts: Readonly<Record<string, number>>,
): void {
  const series = Object.entries(counts).map(([value, count]): Series<number> => [[value], count]);
  addMetrics(registry, [label], series, { [name]: [help, (count) => count] });
}
