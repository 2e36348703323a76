import { monotonicNow } from '../../clock/clock.ts';
import type { Failure } from '../../failover/classify.ts';
import { type AttemptEnding, isAbsenceFinal } from '../../failover/conclude.ts';
import { hedgeAfter } from '../../failover/hedge.ts';
import { goesOn, isLast, outlastsOthers, type Remainder } from '../../failover/overtime.ts';
import { type Attempt, isMerelySlow, obstacleTo } from '../../failover/plan.ts';
import { bounded } from '../../http/boundary.ts';
import { absence, OciError } from '../../oci/error.ts';
import type { Replica } from '../../upstream/health/replica.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { attemptRead } from './attempt.ts';
import type { Overtime } from './attempt-deadline.ts';
import { type AttemptResult, discardAnswer, recordAttempt, type Served } from './attempt-result.ts';
import { conclusion } from './conclusion.ts';
import { isOutage } from './outage-check.ts';
import type { PullPlan, PullScope, Relayable } from './pull-plan.ts';
import { isOver, RACE_TRANSITIONS, type RaceEvent, type RaceState } from './race-states.ts';

/** An attempt under way. */
interface Runner {
  attempt: Attempt;
  control: AbortController;
  started: number;
  /** It was started because the attempt before it was late. */
  hedge: boolean;
  timer: NodeJS.Timeout | undefined;
  /** Its time is over, and it goes on until another attempt has answered. Apart from that, it counts as failed. */
  overdue: boolean;
}

/** An answer that can be relayed, and the attempt that brought it. */
interface Finish {
  runner: Runner;
  result: Relayable;
}

/** A client has its headers, or a clear error, within 10 s. */
const TOTAL_MS = 9500;
/** The time that is left for each later attempt when an earlier one takes all it may. */
const RESERVE_MS = 1000;
/** The time of an attempt at an upstream that is down. If it has just come back, it answers within that. */
const BRIEF_MS = 1000;
/**
 * Bytes of a body, or all of a shorter one, that make an answer while another upstream may be asked: storage that only trickles still sends
 * its headers in time. One round trip brings that much over any connection (RFC 6928: ten segments).
 */
const BEGINNING = 16_384;
/** Ends an attempt that is overdue. */
const OVERDUE = new UpstreamError('first-byte', 'no first byte within its time');
/** Ends one whose upstream is out. */
const OUT = new UpstreamError('canary', 'no first byte within its time, and its canary cannot be read either');
/** How often an attempt that is late, and may not be hedged, is checked again. */
const RECHECK_MS = 100;

/**
 * The attempts of one pull. The next attempt starts when one fails, and in parallel to one that is late. The first good answer wins, and
 * the other attempts are cancelled at once. RACE_TRANSITIONS has its states.
 */
export class Race {
  readonly #scope: PullScope;
  readonly #context: Uses<'upstreams'>;
  readonly #plan: PullPlan;
  readonly #attempt: typeof attemptRead;
  #queue: Attempt[];
  /** When the race has to be over, on the clock of `performance.now`. */
  readonly #until: number;
  readonly #running = new Set<Runner>();
  #endings: AttemptEnding[] = [];
  readonly #outcome = Promise.withResolvers<Relayable>();
  #state: RaceState = 'asking';
  /** The answer that is relayed if no better one comes. */
  #reserve: Finish | undefined;
  /** The first answer that says that the content is absent. An empty list is relayed as it is, instead of a 404. */
  #firstAbsence: { attempt: Attempt; emptyList: Served | undefined } | undefined;
  /** The upstream that alone may answer. */
  #confinedTo: string | undefined;
  /** Attempts that were started. */
  #begun = 0;
  /** What a callback of this race throws ends the race. */
  readonly #boundary = { onError: (error: unknown) => this.#apply('aborted', { error }) };

  /** @param attempt makes one attempt */
  constructor(scope: PullScope, context: Uses<'upstreams'>, plan: PullPlan, attempt = attemptRead) {
    this.#scope = scope;
    this.#context = context;
    this.#plan = plan;
    this.#attempt = attempt;
    this.#queue = [...plan.attempts];
    this.#until = performance.now() + (plan.limitMs ?? TOTAL_MS - scope.elapsed());
  }

  /** @throws OciError, ClientGone */
  run(): Promise<Relayable> {
    const { gone } = this.#scope;
    const onGone = () => this.#apply('aborted', { error: new ClientGone() });
    if (gone.aborted) onGone();
    else gone.addEventListener('abort', onGone, { once: true });
    bounded(() => this.#proceed(), this.#boundary)();
    return this.#outcome.promise.finally(() => gone.removeEventListener('abort', onGone));
  }

  /** Goes to the state that follows, and ends the race if that is a final one. */
  #apply(event: RaceEvent, { finish, error }: { finish?: Finish; error?: unknown } = {}): void {
    if (isOver(this.#state)) return;
    this.#state = RACE_TRANSITIONS[this.#state][event];
    if (this.#state === 'reserved' && finish) this.#keepInReserve(finish);
    if (this.#state === 'reserved')
      for (const { overdue, control } of this.#running) if (overdue) control.abort(OVERDUE);
    const best = finish ?? this.#reserve;
    if (this.#state === 'won' && best) this.#win(best);
    if (this.#state === 'lost') this.#lose(error ?? this.#conclusion());
  }

  #conclusion(): OciError {
    return conclusion(this.#context, this.#endings, { ...this.#plan, confinedTo: this.#confinedTo });
  }

  /** Attempts under way whose time is not over. */
  #inTime(): Runner[] {
    return [...this.#running].filter(({ overdue }) => !overdue);
  }

  /** Starts the next attempt if none is under way, or all are overdue. The race is exhausted when none is left. */
  #proceed(): void {
    if (isOver(this.#state) || this.#inTime().length > 0) return;
    const next = this.#reserve
      ? this.#reserve.result.outcome === 'served' && this.#startSlow()
      : this.#startNext(false);
    if (!next && this.#running.size === 0) this.#apply('exhausted');
  }

  #startNext(hedge: boolean): boolean {
    const attempt = this.#queue.shift();
    if (!attempt) return false;
    const control = new AbortController();
    const started = performance.now();
    const runner: Runner = { attempt, control, started, hedge, timer: undefined, overdue: false };
    this.#running.add(runner);
    this.#begun += 1;
    const upstream = this.#context.upstreams.get(attempt.upstream);
    const ms = this.#timeFor(upstream, attempt);
    if (!upstream || ms <= 0) {
      this.#settled(runner, { outcome: 'failed', reason: 'out-of-time', detail: 'no time was left to ask it' });
      return true;
    }
    upstream.hedgeBudget.earn(attempt.client);
    // While another upstream has not been asked at all, no attempt outlasts a failing canary.
    const ignoreCanary = this.#plan.untilCanaryFails !== true && this.#begun >= this.#plan.attempts.length;
    if (this.#queue.length > 0) this.#scheduleHedge(runner, upstream, ms);
    const beginning = this.#plan.attempts.length > 1 && upstream.config.hedge.share > 0 ? BEGINNING : 1;
    const limit = { ms, ignoreCanary, beginning, overtime: this.#overtime(upstream, runner) };
    const { onError } = this.#boundary;
    this.#attempt(upstream, attempt, this.#plan.reading(attempt), limit, control)
      .then((result) => this.#judged(upstream, runner, result))
      .then(
        bounded((result) => this.#settled(runner, result), this.#boundary),
        // An attempt that was cancelled does not end the race.
        (error) => this.#running.has(runner) && onError(error),
      );
    return true;
  }

  /**
   * The result, once it is known whom a failure of the upstream concerns that may be hiding the content. Until then, answers of others are
   * provisional.
   */
  async #judged(upstream: Upstream, runner: Runner, result: AttemptResult): Promise<AttemptResult> {
    if (result.outcome !== 'failed' || !this.#isHiding(runner.attempt)) return result;
    return { ...result, forClient: !(await this.#isOut(upstream, runner, result.reason)) };
  }

  #isOut(upstream: Upstream, { attempt, started }: Runner, reason: Failure): Promise<boolean> {
    const limitMs = Math.max(this.#until - performance.now(), RESERVE_MS);
    return isOutage(upstream, { attempt, reason, started, limitMs });
  }

  /** Whether the attempt is at the upstream that may be hiding the content, and another one might show it. */
  #isHiding({ upstream }: Attempt): boolean {
    const { attempts, hiding } = this.#plan;
    return upstream === hiding && !this.#confinedTo && attempts.some((one) => one.upstream !== upstream);
  }

  #timeFor(upstream: Upstream | undefined, attempt: Attempt): number {
    const deadlines = upstream?.config.deadlines;
    const own = (attempt.class === 'data' ? deadlines?.blob : deadlines?.manifest) ?? RESERVE_MS;
    const most = attempt.brief ? BRIEF_MS : own;
    return Math.round(Math.min(own, most, this.#until - performance.now() - this.#queue.length * RESERVE_MS));
  }

  /**
   * How an attempt may go on when its time is over: until another one has answered, and as the last one up to `deadlines.last`. A race with
   * a limit of its own ends with that.
   */
  #overtime(upstream: Upstream, runner: Runner): Overtime | undefined {
    const { limitMs, hasReserve, untilCanaryFails } = this.#plan;
    const replica = upstream.replica(runner.attempt.url);
    if (limitMs !== undefined || hasReserve || !replica) return undefined;
    return {
      ms: upstream.config.deadlines.last - this.#scope.elapsed(),
      checkedAfter: this.#until - performance.now(),
      isLast: () => isLast(this.#remainder(runner)),
      outlastsOthers: (canary) => outlastsOthers(canary, [...this.#running].indexOf(runner)),
      start: (hadPlace) => this.#startOvertime(upstream, replica, runner, hadPlace),
      // Where another plan follows, reads and pushes must not disagree about the upstream.
      untilOut: (signal) => (untilCanaryFails ? upstream.untilRefusing(signal) : replica.untilDown(signal)),
    };
  }

  /** What this race has beside an attempt that is under way. What others show counts for nothing where its upstream may be hiding that. */
  #remainder({ attempt }: Runner): Omit<Remainder, 'hadPlace'> {
    const reserved = this.#reserve !== undefined && !this.#isHiding(attempt);
    return { queued: this.#queue.length, others: this.#running.size - 1, reserved };
  }

  #startOvertime(upstream: Upstream, replica: Replica, runner: Runner, hadPlace: boolean): (() => void) | undefined {
    const { class: trafficClass, client } = runner.attempt;
    if (!goesOn({ ...this.#remainder(runner), hadPlace })) return undefined;
    const end = replica.startLongWait(trafficClass === 'data' ? 'data' : 'control', client);
    if (!end) return undefined;
    clearTimeout(runner.timer);
    if (this.#isHiding(runner.attempt)) this.#goOnAlone(upstream, runner).catch(this.#boundary.onError);
    else this.#makeWay(runner);
    return end;
  }

  /** From here on, the attempt counts as failed for the others. */
  #makeWay(runner: Runner): void {
    runner.overdue = true;
    this.#proceed();
  }

  /** An upstream that may be hiding the content makes way for others in an outage only, and not while it is merely slow (rule 3). */
  async #goOnAlone(upstream: Upstream, runner: Runner): Promise<void> {
    const isOut = await this.#isOut(upstream, runner, OVERDUE.reason);
    if (isOver(this.#state) || !this.#running.has(runner)) return;
    if (isOut) return runner.control.abort(OUT);
    this.#confineTo(runner.attempt.upstream);
    this.#makeWay(runner);
  }

  /** When the answer is late, the next attempt starts in parallel. */
  #scheduleHedge(runner: Runner, upstream: Upstream, deadline: number): void {
    const { attempt } = runner;
    const latency = upstream.replica(attempt.url)?.latency[attempt.class === 'data' ? 'data' : 'control'];
    const { floor } = upstream.config.hedge;
    const onLate = bounded(() => this.#late(upstream, runner), this.#boundary);
    runner.timer = setTimeout(onLate, hedgeAfter({ p95: latency?.p95, floor, deadline }));
  }

  #late(upstream: Upstream, runner: Runner): void {
    if (!this.#mayHedge() || upstream.config.hedge.share === 0) return;
    const { hedges } = this.#scope;
    // The trial of a half-open breaker always has the next upstream on standby: there is one trial at a time.
    if (runner.attempt.trial || upstream.hedgeBudget.spend(runner.attempt.client)) {
      hedges.started += 1;
      this.#startNext(true);
      return;
    }
    hedges.refused += 1;
    if (!runner.attempt.lastResort) this.#recheck(upstream, runner);
  }

  /** Whether another upstream can be asked in parallel to an attempt that may yet answer. */
  #mayHedge(): boolean {
    const [next] = this.#queue;
    return !isOver(this.#state) && next !== undefined && this.#plan.isLastResort?.(next) !== true;
  }

  /** Other requests may find out meanwhile that the upstream is bad: then the next attempt is no hedge any more. */
  #recheck(upstream: Upstream, runner: Runner): void {
    if (!this.#mayHedge()) return;
    const { url, class: trafficClass } = runner.attempt;
    const view = upstream.replica(url)?.view();
    if (view && obstacleTo(view, trafficClass, monotonicNow(), runner.attempt)) this.#startNext(false);
    else
      runner.timer = setTimeout(
        bounded(() => this.#recheck(upstream, runner), this.#boundary),
        RECHECK_MS,
      );
  }

  #settled(runner: Runner, result: AttemptResult): void {
    clearTimeout(runner.timer);
    if (!this.#running.delete(runner)) {
      discardAnswer(result);
      return;
    }
    recordAttempt(this.#scope, runner.attempt, result, runner.started);
    if (result.outcome === 'absent' || result.outcome === 'failed') {
      this.#unserved(runner.attempt, result);
    } else {
      const finish: Finish = { runner, result: { ...result, attempt: runner.attempt } };
      this.#apply(this.#isProvisional(finish) ? 'provisional' : 'good', { finish });
    }
    this.#proceed();
  }

  /** A refusal is relayed only where no upstream has a better answer. */
  #keepInReserve(finish: Finish): void {
    if (!this.#reserve || this.#reserve.result.outcome === 'refused') this.#reserve = finish;
  }

  /**
   * A refusal, or a tag that the ledger cannot confirm, must not overtake the answer of an upstream that is merely slow. The refusal of
   * the upstream that was asked first is final: no client gets from a hedge what that upstream does not give (rule 3).
   */
  #isProvisional({ runner, result }: Finish): boolean {
    const slow = this.#inTime();
    if (result.outcome === 'refused') return slow.some((other) => other.started <= runner.started);
    const attempts = [...slow.map(({ attempt }) => attempt), ...this.#passedOver()];
    return this.#plan.provisional?.(result, new Set(attempts.map(({ upstream }) => upstream))) === true;
  }

  /** Attempts that come last only because their upstream is slow. */
  #passedOver(): Attempt[] {
    return this.#queue.filter((attempt) => {
      const view = this.#context.upstreams.get(attempt.upstream)?.replica(attempt.url)?.view();
      return view && isMerelySlow(view, attempt.class, monotonicNow(), attempt);
    });
  }

  /** A slow upstream that may have a newer tag is asked before the reserve answer is used. */
  #startSlow(): boolean {
    const [attempt] = this.#passedOver();
    if (!attempt) return false;
    this.#queue.splice(this.#queue.indexOf(attempt), 1);
    this.#queue.unshift(attempt);
    return this.#startNext(false);
  }

  #unserved(attempt: Attempt, result: Extract<AttemptResult, { outcome: 'absent' | 'failed' }>): void {
    const { route, untilCanaryFails, absent, onAbsent, deletedAt, decider } = this.#plan;
    this.#apply('unserved');
    if (result.outcome === 'failed' && result.abandoned && untilCanaryFails !== true) this.#queue.push(attempt);
    else this.#endings.push({ upstream: attempt.upstream, ...result });
    if (result.outcome === 'absent' || result.reason === 'unproven')
      this.#firstAbsence ??= { attempt, emptyList: result.emptyList };
    if (result.outcome === 'failed' && result.forClient) this.#confineTo(attempt.upstream);
    if (result.outcome !== 'absent') return;
    if (result.confirmed) onAbsent?.(attempt.upstream, result);
    const preferred = attempt.upstream === (deletedAt ?? decider ?? route.pull[0]?.upstream);
    if (!isAbsenceFinal({ ...result, preferred }, (deletedAt ?? decider) === undefined ? route.onAbsent : 'stop'))
      return;
    // A client gets the final word, and not the empty list of an upstream that answered sooner (rule 3).
    this.#firstAbsence = { attempt, emptyList: result.emptyList };
    this.#apply('absent', { error: absence(absent, result.words) });
  }

  /** The upstream is well, and has failed for this client: what another one would answer may be what it hides (rule 3). */
  #confineTo(name: string): void {
    this.#confinedTo = name;
    this.#queue = this.#queue.filter(({ upstream }) => upstream === name);
    this.#cancel([...this.#running].filter(({ attempt }) => attempt.upstream !== name));
    if (this.#reserve) discardAnswer(this.#reserve.result);
    this.#reserve = undefined;
    // What the others lack is not told either.
    this.#endings = this.#endings.filter(({ upstream }) => upstream === name);
    if (this.#firstAbsence?.attempt.upstream !== name) this.#firstAbsence = undefined;
    this.#apply('confined');
  }

  #win({ runner: winner, result }: Finish): void {
    if (winner.hedge) this.#scope.hedges.won += 1;
    for (const { attempt, control, started, overdue } of this.#running) {
      if (!overdue && started > winner.started) continue;
      // The breaker of an upstream that was asked earlier, and is still silent, should know.
      const error = overdue ? OVERDUE : new UpstreamError('late', `${winner.attempt.upstream} answered first`);
      control.abort(error);
      recordAttempt(this.#scope, attempt, { outcome: 'failed', reason: error.reason, detail: error.message }, started);
    }
    this.#cancel([...this.#running]);
    if (this.#reserve && this.#reserve.result !== result) discardAnswer(this.#reserve.result);
    this.#outcome.resolve(result);
  }

  #lose(error: unknown): void {
    this.#cancel([...this.#running]);
    if (this.#reserve) discardAnswer(this.#reserve.result);
    const { attempt, emptyList } = this.#firstAbsence ?? {};
    if (attempt && emptyList && error instanceof OciError && error.status === 404)
      this.#outcome.resolve({ outcome: 'served', ...emptyList, attempt });
    else this.#outcome.reject(error);
  }

  #cancel(runners: readonly Runner[]): void {
    for (const runner of runners) {
      clearTimeout(runner.timer);
      runner.control.abort(new ClientGone());
      this.#running.delete(runner);
    }
  }
}
