/** A member of a roster. It can be in one roster at a time. */
export interface Listed {
  /** Its index in the roster, which is the only one to write it; -1 before it is in one. */
  position: number;
}

/**
 * A set without an order, for members that come and go thousands of times a second. A `Set` would do the same at a higher price: it moves
 * to a new table every few additions, and in V8 the old table goes on referring to the new one. Once one of them is in the old generation
 * it keeps all later ones alive until the next full collection, though it is garbage, and with them every member that was there at a move.
 */
export class Roster<T extends Listed> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** The members of now, whoever comes or goes during the iteration. */
  [Symbol.iterator](): Iterator<T> {
    return [...this.#members].values();
  }

  add(member: T): void {
    member.position = this.#members.push(member) - 1;
  }

  /** @returns whether it was a member */
  delete(member: T): boolean {
    const { position } = member;
    if (this.#members[position] !== member) return false;
    const last = this.#members.pop();
    // The last member takes the place that became free.
    if (last && last !== member) {
      this.#members[position] = last;
      last.position = position;
    }
    return true;
  }
}
