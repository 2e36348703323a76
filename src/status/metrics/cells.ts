/** Value of a label without a value. No prefix and no upstream can have this name. */
export const NONE = '-';

/** `*` for the route of everything else, because an empty label counts as no label for Prometheus. */
export function routeLabel(prefix: string | undefined): string {
  if (prefix === undefined) return NONE;
  return prefix === '' ? '*' : prefix;
}

/**
 * Counts of a metric by the values of its labels. prom-client checks and hashes all labels at each count. Here a count costs one look into
 * a map, and prom-client gets the sums at a scrape.
 */
export class Cells<Cell> {
  readonly #make: (labels: readonly string[]) => Cell;
  readonly #all = new Map<string, readonly [labels: readonly string[], cell: Cell]>();

  constructor(make: (labels: readonly string[]) => Cell) {
    this.#make = make;
  }

  /** @param labels values from the configuration and from fixed lists, so that their number is bounded */
  at(...labels: string[]): Cell {
    const key = labels.join('\0');
    const known = this.#all.get(key);
    if (known) return known[1];
    const cell = this.#make(labels);
    this.#all.set(key, [labels, cell]);
    return cell;
  }

  /** All cells, oldest first. */
  [Symbol.iterator](): Iterator<readonly [labels: readonly string[], cell: Cell]> {
    return this.#all.values();
  }
}
