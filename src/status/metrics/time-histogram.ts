import { Cells } from './cells.ts';

/** Times of one set of label values. */
export class Times {
  readonly #bounds: readonly number[];
  /** How many were at most as long as the bound of the same place, and longer than the one before; the last: longer than all. */
  readonly #counts: number[];
  #sumMs = 0;

  /** @param bounds milliseconds, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  add(ms: number): void {
    let place = 0;
    while (place < this.#bounds.length && ms > (this.#bounds[place] ?? 0)) place += 1;
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#sumMs += ms;
  }

  /** Samples in the exposition format. @param labels `kind="blob",outcome="served"` */
  lines(name: string, labels: string): string[] {
    let count = 0;
    const buckets = this.#counts.map((more, place) => {
      count += more;
      const bound = this.#bounds[place];
      return `${name}_bucket{le="${bound === undefined ? '+Inf' : bound / 1000}",${labels}} ${count}`;
    });
    return [...buckets, `${name}_sum{${labels}} ${this.#sumMs / 1000}`, `${name}_count{${labels}} ${count}`];
  }
}

/**
 * A histogram of times by kind and outcome of requests, in seconds for those who read it. Not prom-client's, since that cannot be handed
 * sums, and takes longer for one time than all else that is counted of a request.
 */
export class TimeHistogram {
  readonly #name: string;
  readonly #help: string;
  readonly #cells: Cells<Times>;

  /** @param bounds milliseconds, ascending */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = `breakwater_${name}`;
    this.#help = help;
    this.#cells = new Cells(() => new Times(bounds));
  }

  /** Where times of requests of this kind that ended so are to be added. Both come from fixed lists, so that nothing is to be escaped. */
  of(kind: string, outcome: string): Times {
    return this.#cells.at(kind, outcome);
  }

  /** In the exposition format. */
  text(): string {
    const samples = [...this.#cells].flatMap(({ labels: [kind, outcome], cell }) =>
      cell.lines(this.#name, `kind="${kind}",outcome="${outcome}"`),
    );
    return `${[`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} histogram`, ...samples].join('\n')}\n`;
  }
}
