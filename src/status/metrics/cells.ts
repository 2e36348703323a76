interface Labelled<Cell> {
  labels: readonly string[];
  cell: Cell;
}

/** What goes on with each value of the next label. */
interface Branch<Cell> {
  next: Map<string, Branch<Cell>>;
  here: Cell | undefined;
}

/**
 * What is counted at every request, by the values of its labels. prom-client checks and hashes all labels at each count; here each is one
 * look into a map, by a string whose hash is known, and prom-client is given the sums when it is scraped.
 */
export class Cells<Cell> {
  readonly #make: (labels: readonly string[]) => Cell;
  readonly #root: Branch<Cell> = { next: new Map(), here: undefined };
  readonly #all: Labelled<Cell>[] = [];

  constructor(make: (labels: readonly string[]) => Cell) {
    this.#make = make;
  }

  /** The cell for these values, which come from the configuration and from fixed lists, so that there are not many. */
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

  /** In the order in which they came up. */
  [Symbol.iterator](): Iterator<Labelled<Cell>> {
    return this.#all.values();
  }
}
