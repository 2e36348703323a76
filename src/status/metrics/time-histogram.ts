import { Cells } from './cells.ts';

/** Times with the same label values. */
export class Times {
  readonly #bounds: readonly number[];
  /** Times in each bucket: above the previous bound and up to this one. The last bucket has no upper bound. */
  readonly #counts: number[];
  #sumMs = 0;

  /** @param bounds milliseconds, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  add(ms: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && ms > (this.#bounds[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumMs += ms;
  }

  /** Samples in the exposition format. @param labels `kind="blob",outcome="served"` */
  lines(name: string, labels: string): string[] {
    let count = 0;
    const buckets = this.#counts.map((more, bucket) => {
      count += more;
      const bound = this.#bounds[bucket];
      return `${name}_bucket{le="${bound === undefined ? '+Inf' : bound / 1000}",${labels}} ${count}`;
    });
    return [...buckets, `${name}_sum{${labels}} ${this.#sumMs / 1000}`, `${name}_count{${labels}} ${count}`];
  }
}

/**
 * A histogram of times by kind and outcome of requests. It shows seconds. prom-client's histogram takes no sums, and adding one time to it
 * costs more than all other counts of a request.
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

  /** The times of requests of this kind and outcome. Both come from fixed lists, so that neither needs escaping. */
  of(kind: string, outcome: string): Times {
    return this.#cells.at(kind, outcome);
  }

  /** All samples in the exposition format. */
  text(): string {
    const samples = [...this.#cells].flatMap(([[kind, outcome], cell]) =>
      cell.lines(this.#name, `kind="${kind}",outcome="${outcome}"`),
    );
    return `${[`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} histogram`, ...samples].join('\n')}\n`;
  }
}
