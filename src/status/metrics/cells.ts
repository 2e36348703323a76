/** Value of a label without a value. No prefix and no upstream can have this name. */
export const NONE = '-';

/** `*` for the route of everything else, because an empty label counts as no label for Prometheus. */
export function routeLabel(prefix: string | undefined): string {
  if (prefix === undefined) return NONE;
  return prefix === '' ? '*' : prefix;
}

/** A node of the tree of cells. Each value of the next label leads to a child. */
interface Branch<Cell> {
  next: Map<string, Branch<Cell>>;
  cell: Cell | undefined;
}

/**
 * Counts of a metric by the values of its labels. prom-client checks and hashes all labels at each count. Here each label costs one look
 * into a map, a fifth of what joining them to a key costs, and prom-client gets the sums at a scrape.
 */
export class Cells<Cell> {
  readonly #make: (labels: readonly string[]) => Cell;
  readonly #root: Branch<Cell> = { next: new Map(), cell: undefined };
  readonly #all: (readonly [labels: readonly string[], cell: Cell])[] = [];

  constructor(make: (labels: readonly string[]) => Cell) {
    this.#make = make;
  }

  /** @param labels values from the configuration and from fixed lists, so that their number is bounded */
  at(...labels: string[]): Cell {
    let branch = this.#root;
    for (const label of labels) {
      let next = branch.next.get(label);
      if (!next) {
        next = { next: new Map(), cell: undefined };
        branch.next.set(label, next);
      }
      branch = next;
    }
    if (branch.cell === undefined) {
      branch.cell = this.#make(labels);
      this.#all.push([labels, branch.cell]);
    }
    return branch.cell;
  }

  /** All cells, oldest first. */
  [Symbol.iterator](): Iterator<readonly [labels: readonly string[], cell: Cell]> {
    return this.#all.values();
  }
}
