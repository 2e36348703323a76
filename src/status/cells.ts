interface Labelled<Cell> {
  labels: readonly string[];
  cell: Cell;
}

/**
 * What is counted at every request, by the values of its labels. prom-client checks and hashes the labels at each count; here that is
 * one look into a map, and it is given the sums when it is scraped.
 */
export class Cells<Cell> {
  readonly #make: (labels: readonly string[]) => Cell;
  readonly #cells = new Map<string, Labelled<Cell>>();

  constructor(make: (labels: readonly string[]) => Cell) {
    this.#make = make;
  }

  /** The cell for these values; they come from the configuration and from fixed lists, so that there are not many, and none has a line end. */
  at(...labels: string[]): Cell {
    const key = labels.join('\n');
    const known = this.#cells.get(key);
    if (known) return known.cell;
    const cell = this.#make(labels);
    this.#cells.set(key, { labels, cell });
    return cell;
  }

  /** In the order in which they came up. */
  *[Symbol.iterator](): Generator<Labelled<Cell>> {
    yield* this.#cells.values();
  }
}
