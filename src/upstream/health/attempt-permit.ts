import type { AttemptVerdict, Breaker, ReportVerdict } from './breaker.ts';

/**
 * Permission for one attempt at a URL: a slot of the concurrency limit, and the right to report to the URL's breakers.
 * The answer (up to its first byte) and the body are reported apart, because a transfer of an hour must not keep the
 * breaker waiting.
 */
export class AttemptPermit {
  readonly #reportToAnswers: ReportVerdict;
  readonly #reportToBodies: ReportVerdict | undefined;
  readonly #onVerdict: ReportVerdict;
  readonly #releaseSlot: () => void;
  #answerReported = false;
  #endReported = false;

  /** @param bodies the breaker of bodies, if they have their own */
  constructor(answers: Breaker, bodies: Breaker | undefined, onVerdict: ReportVerdict, releaseSlot: () => void) {
    this.#reportToAnswers = answers.admit();
    this.#reportToBodies = bodies?.admit();
    this.#onVerdict = onVerdict;
    this.#releaseSlot = releaseSlot;
  }

  /** Reports the answer: its first byte arrived, or never will. Only the first call counts. */
  reportAnswer(verdict: AttemptVerdict): void {
    if (this.#answerReported) return;
    this.#answerReported = true;
    this.#reportToAnswers(verdict);
    this.#onVerdict(verdict);
  }

  /**
   * Reports the end of the attempt and frees its slot. Every attempt must report its end; only the first call counts.
   */
  reportEnd(verdict: AttemptVerdict): void {
    if (this.#endReported) return;
    this.#endReported = true;
    this.reportAnswer('neutral');
    this.#reportToBodies?.(verdict);
    if (this.#reportToBodies || verdict === 'bad') this.#onVerdict(verdict);
    this.#releaseSlot();
  }
}
