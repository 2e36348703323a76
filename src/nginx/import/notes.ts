import type { Directive } from '../syntax/directive.ts';

/**
 * What becomes of a directive. `taken`: the configuration has it. `better`: Breakwater does it by itself, or does it better. `cannot`: there is
 * no such thing in Breakwater. `apart`: it has nothing to do with the registry.
 */
export type Verdict = 'taken' | 'better' | 'cannot' | 'apart';

export interface Note {
  verdict: Verdict;
  text: string;
  /** Whether the edge would behave differently in a way that somebody relies on. */
  isImportant: boolean;
}

/** What the import has found out about directives, and what is left to do by hand. */
export class Notes {
  readonly #notes = new Map<Directive, Note>();
  readonly #todo = new Set<string>();

  /** The first thing that is said about a directive counts, but for an important one. */
  record(directive: Directive, verdict: Verdict, text: string, isImportant = false): void {
    const before = this.#notes.get(directive);
    if (before === undefined || (isImportant && !before.isImportant))
      this.#notes.set(directive, { verdict, text, isImportant });
  }

  of(directive: Directive): Note | undefined {
    return this.#notes.get(directive);
  }

  /** Something that a person has to do. */
  remember(text: string): void {
    this.#todo.add(text);
  }

  get todo(): string[] {
    return [...this.#todo];
  }
}
