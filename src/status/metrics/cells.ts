import { Counter, type Registry } from 'prom-client';

/** Value of a label without a value. No prefix and no upstream can have this name. */
export const NONE = '-';

/** `*` for the route of everything else, because an empty label counts as no label for Prometheus. */
export function routeLabel(prefix: string | undefined): string {
  if (prefix === undefined) return NONE;
  return prefix === '' ? '*' : prefix;
}

interface Labelled<Cell> {
  labels: readonly string[];
  cell: Cell;
}

/** A node of the tree of cells. Each value of the next label leads to a child. */
interface Branch<Cell> {
  next: Map<string, Branch<Cell>>;
  here: Cell | undefined;
}

/**
 * Counts of a metric by the values of its labels. prom-client checks and hashes all labels at each count. Here each label costs one look
 * into a map, and prom-client gets the sums at a scrape.
 */
export class Cells<Cell> {
  readonly #make: (labels: readonly string[]) => Cell;
  readonly #root: Branch<Cell> = { next: new Map(), here: undefined };
  readonly #all: Labelled<Cell>[] = [];

  constructor(make: (labels: readonly string[]) => Cell) {
    this.#make = make;
  }

  /** @param labels values from the configuration and from fixed lists, so that their number is bounded */
  at(...labels: string[]): Cell {
    let branch = this.#root;
    for (const label of labels) {
      let next = branch.next.get(label);
      if (!next) {
        next = { next: new Map(), here: undefined };
        branch.next.set(label, next);
      }
      branch = next;
    }
    if (branch.here === undefined) {
      branch.here = this.#make(labels);
      this.#all.push({ labels, cell: branch.here });
    }
    return branch.here;
  }

  /** All cells, oldest first. */
  [Symbol.iterator](): Iterator<Labelled<Cell>> {
    return this.#all.values();
  }
}

/** A counter of prom-client that takes its values from `samples` at each scrape. */
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
