import { readClocks } from '../../clock/clock.ts';
import { type Failure, overloadMs } from '../../failover/classify.ts';
import type { HeaderList } from '../header-list.ts';
import type { AttemptVerdict, ReportVerdict } from './breaker.ts';

/** Takes the verdicts on one admitted attempt. Each part is reported once. */
export interface AttemptReports {
  /** The answer, up to its first byte. */
  answer: ReportVerdict;
  /** The body. */
  body: ReportVerdict;
  /** The upstream is overloaded, and asked to be left alone for some milliseconds. */
  overload(ms: number): void;
}

/** What a failure says about the upstream, where that is not "bad". */
const VERDICTS: Partial<Record<Failure, AttemptVerdict>> = {
  late: 'late',
  // An upstream that has lost content answers as well as ever.
  'content-lost': 'good',
  'content-unclear': 'good',
  // The edge itself could not ask.
  descriptors: 'neutral',
};

/**
 * Permission for one attempt at a URL: a slot of the concurrency limit, and the right to report to the URL's breakers.
 * The answer (up to its first byte) and the body are reported apart, because a transfer of an hour must not keep the
 * breaker waiting.
 */
export class AttemptPermit {
  readonly #reports: AttemptReports;
  readonly #releaseSlot: () => void;
  #answerReported = false;
  #endReported = false;

  constructor(reports: AttemptReports, releaseSlot: () => void) {
    this.#reports = reports;
    this.#releaseSlot = releaseSlot;
  }

  /** Reports the answer: its first byte arrived, or never will. Only the first call counts. */
  reportAnswer(verdict: AttemptVerdict): void {
    if (this.#answerReported) return;
    this.#answerReported = true;
    this.#reports.answer(verdict);
  }

  /** Reports an answer by its status alone. */
  reportStatus({ status, headers }: { status: number; headers: HeaderList }): void {
    const overload = overloadMs({ status, retryAfter: headers.get('retry-after') }, readClocks().wall);
    if (overload === undefined) this.reportAnswer(status >= 500 ? 'bad' : 'good');
    else this.reportOverload(overload);
  }

  /** Reports that there will be no answer, or none that is good, and the end of the attempt. */
  reportFailure(reason: Failure): void {
    this.reportAnswer(VERDICTS[reason] ?? 'bad');
    this.reportEnd('neutral');
  }

  /** Reports an answer that asks for fewer requests. That is no failure of the upstream (rule 8). */
  reportOverload(ms: number): void {
    if (!this.#answerReported) this.#reports.overload(ms);
    this.reportAnswer('neutral');
  }

  /**
   * Reports the end of the attempt and frees its slot. Every attempt must report its end; only the first call counts.
   */
  reportEnd(verdict: AttemptVerdict): void {
    if (this.#endReported) return;
    this.#endReported = true;
    this.reportAnswer('neutral');
    this.#reports.body(verdict);
    this.#releaseSlot();
  }
}
