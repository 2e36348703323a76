/**
 * The bytes before a sealed answer, each written in the moment in which it becomes true. They need no secrecy: the order of the bytes on the
 * connection is what counts. `STANDS`: the question stands, and from now on no write is acknowledged before `NEWS` was written. `NEWS`: there
 * is something to hear, and the answer follows.
 */
export const STANDS = '.';
export const NEWS = '!';

/** What a question that may stand has come to. */
export interface QuestionProgress {
  onStands: () => void;
  onNews: () => void;
}

/** The answer of a question while it stands. */
export interface StandingAnswer {
  /** The address of the asking edge, for the operator. */
  readonly from: string;
  /** Writes a mark at once. */
  mark(mark: typeof STANDS | typeof NEWS): void;
  /** Calls back when the connection of the asking edge has closed. */
  onClose(callback: () => void): void;
}
