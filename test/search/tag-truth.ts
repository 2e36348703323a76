/** One state of a tag at the primary. */
export interface TagState {
  /** null: the tag is not there. */
  digest: string | null;
  /** Greater than that of every earlier state of any tag. */
  order: number;
  /** A restored snapshot made it so, not a push, a deletion or a change of the registry's own users. */
  restored: boolean;
}

/** What the primary has had for each tag. */
export class TagTruth {
  readonly #states = new Map<string, TagState[]>();
  #order = 0;

  note(tag: string, digest: string | null, restored = false): TagState {
    this.#order += 1;
    const state = { digest, order: this.#order, restored };
    const states = this.#states.get(tag) ?? [];
    states.push(state);
    this.#states.set(tag, states);
    return state;
  }

  newest(tag: string): TagState | undefined {
    return this.#states.get(tag)?.at(-1);
  }

  /** The latest time at which the tag came to this digest; 0: never. */
  orderOf(tag: string, digest: string | null, { restores = true } = {}): number {
    const states = this.#states.get(tag) ?? [];
    return states.findLast((state) => state.digest === digest && (restores || !state.restored))?.order ?? 0;
  }

  /** What made the tag another one after that state; no restore. */
  changesAfter(tag: string, order: number): TagState[] {
    return (this.#states.get(tag) ?? []).filter((state) => state.order > order && !state.restored);
  }

  /** Every digest that the tag has had, oldest first. */
  digests(tag: string): string[] {
    const all = (this.#states.get(tag) ?? []).flatMap(({ digest }) => digest ?? []);
    return [...new Set(all)];
  }

  get tags(): string[] {
    return [...this.#states.keys()];
  }
}

/** What an edge was shown of a tag. */
export interface Fact {
  digest: string | null;
  order: number;
  /** When the edge came to know it; milliseconds. */
  learntAt: number;
  /** An edge acknowledged it as a push. */
  pushed: boolean;
  /** The edge knows it only because its peer must have told it before the reply. */
  byReply?: boolean;
}

/** What one edge must know, since it was shown or told it. */
export class EdgeKnowledge {
  /** By tag, the newest last. */
  readonly #facts = new Map<string, Fact[]>();

  learn(tag: string, fact: Fact): void {
    const facts = this.#facts.get(tag) ?? [];
    if (facts.some(({ order }) => order === fact.order)) return;
    this.#facts.set(
      tag,
      [...facts, fact].sort((a, b) => a.order - b.order),
    );
  }

  newest(tag: string): Fact | undefined {
    return this.#facts.get(tag)?.at(-1);
  }

  knows(tag: string, order: number): boolean {
    return (this.#facts.get(tag) ?? []).some((fact) => fact.order === order);
  }

  hasSeen(tag: string, digest: string): boolean {
    return (this.#facts.get(tag) ?? []).some((fact) => fact.digest === digest);
  }

  /** Everything that another edge knew before that moment. */
  merge(other: EdgeKnowledge, before: number, now: number): void {
    for (const [tag, facts] of other.#facts)
      for (const fact of facts)
        if (fact.learntAt < before && !fact.byReply) this.learn(tag, { ...fact, learntAt: now });
  }

  /**
   * Acknowledged pushes after which the edge saw nothing else of the tag, each image once, the newest first.
   * @param byReply those that the edge knows only because its peer must have told it before the reply
   */
  pushes(byReply = false): (Fact & { tag: string })[] {
    const standing = [...this.#facts].flatMap(([tag, facts]) => {
      const last = facts.findLastIndex(({ pushed }) => !pushed);
      return facts.slice(last + 1).map((fact) => ({ ...fact, tag }));
    });
    const all = standing.filter((fact) => (fact.byReply === true) === byReply).sort((a, b) => b.order - a.order);
    // Two pushes of one image under one tag are one image that can be lost.
    return [...new Map(all.toReversed().map((push) => [`${push.tag} ${push.digest}`, push])).values()].toReversed();
  }
}
