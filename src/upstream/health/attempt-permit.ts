import type { AttemptVerdict, Breaker, Ticket } from './breaker.ts';

interface BreakerShare {
  breaker: Breaker;
  ticket: Ticket;
}

/**
 * Permission for one attempt at a URL: a slot of the concurrency limit, and the right to report to the URL's breakers.
 * The answer (up to its first byte) and the body are reported apart, because a transfer of an hour must not keep the
 * breaker waiting.
 */
export class AttemptPermit {
  readonly #answer: BreakerShare;
  readonly #body: BreakerShare | undefined;
  readonly #onVerdict: (verdict: AttemptVerdict) => void;
  readonly #releaseSlot: () => void;
  #answerReported = false;
  #endReported = false;

  constructor(
    answer: Breaker,
    body: Breaker | undefined,
    onVerdict: (verdict: AttemptVerdict) => void,
    releaseSlot: () => void,
  ) {
    this.#answer = { breaker: answer, ticket: answer.admit() };
    this.#body = body && { breaker: body, ticket: body.admit() };
    this.#onVerdict = onVerdict;
    this.#releaseSlot = releaseSlot;
  }

  /** Reports the answer: its first byte arrived, or never will. Only the first call counts. */
  reportAnswer(verdict: AttemptVerdict): void {
    if (this.#answerReported) return;
    this.#answerReported = true;
    this.#settle(this.#answer, verdict);
  }

  /**
   * Reports the end of the attempt and frees its slot. Every attempt must report its end; only the first call counts.
   */
  reportEnd(verdict: AttemptVerdict): void {
    if (this.#endReported) return;
    this.#endReported = true;
    this.reportAnswer('neutral');
    if (this.#body) this.#settle(this.#body, verdict);
    else if (verdict === 'bad') this.#onVerdict(verdict);
    this.#releaseSlot();
  }

  #settle({ breaker, ticket }: BreakerShare, verdict: AttemptVerdict): void {
    breaker.settle(ticket, verdict);
    this.#onVerdict(verdict);
  }
}
