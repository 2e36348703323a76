import { absenceEnds, conclude, type Ending } from '../../failover/conclude.ts';
import { hedgeAfter } from '../../failover/hedge.ts';
import type { Attempt } from '../../failover/plan.ts';
import { obstacleTo } from '../../failover/plan.ts';
import { OciError } from '../../oci/error.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone } from '../exchange.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { attemptRead } from './attempt.ts';
import { type AttemptResult, attemptRecord, discardAnswer } from './attempt-result.ts';
import type { PullPlan, PullScope, Relayable } from './pull-plan.ts';

/** An attempt under way. */
interface Runner {
  attempt: Attempt;
  control: AbortController;
  started: number;
  /** Started because the one before it was late. */
  hedge: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** A client has its headers, or a clear error, within 10 s. */
const TOTAL_MS = 9500;
/** What is left to each later attempt when an earlier one takes all it may. */
const RESERVE_MS = 1000;
/**
 * Bytes of a body, or all of a shorter one, that are waited for where somebody else may be asked: heads come in time from storage that
 * only trickles. No more than a connection brings at once, however far away (RFC 6928: ten segments), and a little.
 */
const BEGINNING = 16_384;
/** How often an attempt that is late, and may not be hedged, is looked at again. */
const WATCH_MS = 100;

/**
 * The attempts of one pull: the next one starts when one fails, and beside one that is late; the first good answer wins, and the others
 * are cancelled at once.
 */
export class Race {
  readonly #scope: PullScope;
  readonly #context: ProxyContext;
  readonly #plan: PullPlan;
  /** Whose word on what is absent is final. */
  readonly #preferred: string | undefined;
  readonly #queue: Attempt[];
  /** When it has to be over, on the clock of `performance.now`. */
  readonly #until: number;
  readonly #running = new Set<Runner>();
  readonly #endings: Ending[] = [];
  readonly #outcome = Promise.withResolvers<Relayable>();
  /** Attempts begun. */
  #begun = 0;
  /** An answer that counts if those before it fail. */
  #reserve: { runner: Runner; result: Relayable } | undefined;
  #over = false;

  constructor(scope: PullScope, context: ProxyContext, plan: PullPlan) {
    this.#scope = scope;
    this.#context = context;
    this.#plan = plan;
    this.#preferred = plan.route.pull[0]?.upstream;
    this.#queue = [...plan.attempts];
    this.#until = performance.now() + (plan.limitMs ?? TOTAL_MS - scope.elapsed());
  }

  /** @throws OciError, ClientGone */
  run(): Promise<Relayable> {
    const { gone } = this.#scope;
    const onGone = () => this.#end(() => this.#outcome.reject(new ClientGone()));
    if (gone.aborted) onGone();
    else gone.addEventListener('abort', onGone, { once: true });
    this.#proceed();
    return this.#outcome.promise.finally(() => gone.removeEventListener('abort', onGone));
  }

  /** Starts the next attempt if nobody is being waited for; concludes when none is left. */
  #proceed(): void {
    if (this.#over || this.#running.size > 0) return;
    if (this.#reserve?.result.outcome === 'served' && this.#startSlow()) return;
    if (this.#reserve) this.#win(this.#reserve.runner, this.#reserve.result);
    else if (!this.#startNext(false)) this.#end(() => this.#outcome.reject(conclude(this.#endings, this.#plan.absent)));
  }

  #startNext(hedge: boolean): boolean {
    const attempt = this.#queue.shift();
    if (!attempt) return false;
    const runner: Runner = {
      attempt,
      control: new AbortController(),
      started: performance.now(),
      hedge,
      timer: undefined,
    };
    this.#running.add(runner);
    this.#begun += 1;
    const upstream = this.#context.upstreams.get(attempt.upstream);
    const ms = this.#timeFor(upstream, attempt);
    if (!upstream || ms <= 0) {
      this.#settled(runner, { outcome: 'failed', reason: 'out-of-time', detail: 'no time was left to ask it' });
      return true;
    }
    upstream.hedges.earn();
    // As long as somebody has not been asked at all, nobody is waited for against the word of its canary.
    const ignoreCanary = this.#plan.untilCanaryFails !== true && this.#begun >= this.#plan.attempts.length;
    if (this.#queue.length > 0) this.#expect(runner, upstream, ms);
    const beginning = this.#plan.attempts.length > 1 && upstream.config.hedge.share > 0 ? BEGINNING : 1;
    attemptRead(upstream, attempt, this.#plan.reading(attempt), { ms, ignoreCanary, beginning }, runner.control).then(
      (result) => this.#settled(runner, result),
      (error: unknown) => {
        if (!this.#over) this.#end(() => this.#outcome.reject(error));
      },
    );
    return true;
  }

  #timeFor(upstream: Upstream | undefined, attempt: Attempt): number {
    const deadlines = upstream?.config.deadlines;
    const own = (attempt.class === 'data' ? deadlines?.blob : deadlines?.manifest) ?? RESERVE_MS;
    return Math.round(Math.min(own, this.#until - performance.now() - this.#queue.length * RESERVE_MS));
  }

  /** When the answer is late, the next attempt starts beside this one. */
  #expect(runner: Runner, upstream: Upstream, deadline: number): void {
    const { attempt } = runner;
    const latency = upstream.replica(attempt.url)?.latency[attempt.class === 'data' ? 'data' : 'control'];
    const { floor } = upstream.config.hedge;
    runner.timer = setTimeout(() => this.#late(upstream, runner), hedgeAfter({ p95: latency?.p95, floor, deadline }));
  }

  #late(upstream: Upstream, runner: Runner): void {
    if (this.#over || !this.#mayGoOn() || upstream.config.hedge.share === 0) return;
    const { hedges } = this.#scope;
    // The trial of a half-open breaker always has the next upstream on standby: there is one at a time.
    if (runner.attempt.trial || upstream.hedges.spend()) {
      hedges.started += 1;
      this.#startNext(true);
      return;
    }
    hedges.refused += 1;
    if (!runner.attempt.lastResort) this.#watch(upstream, runner);
  }

  /** Whether there is somebody to be asked beside one that may yet answer. */
  #mayGoOn(): boolean {
    const [next] = this.#queue;
    return next !== undefined && this.#plan.isLastResort?.(next) !== true;
  }

  /** What others find out meanwhile counts for who waits already: once it is known to be bad, going on is no hedge any more. */
  #watch(upstream: Upstream, runner: Runner): void {
    if (this.#over || !this.#mayGoOn()) return;
    if (isKnownBad(upstream, runner.attempt)) this.#startNext(false);
    else runner.timer = setTimeout(() => this.#watch(upstream, runner), WATCH_MS);
  }

  #settled(runner: Runner, result: AttemptResult): void {
    const wasRunning = this.#running.delete(runner);
    clearTimeout(runner.timer);
    if (this.#over || !wasRunning) {
      discardAnswer(result);
      return;
    }
    this.#note(runner, result);
    const { attempt } = runner;
    if (result.outcome === 'absent' || result.outcome === 'failed') {
      this.#unserved(attempt, result);
      this.#proceed();
      return;
    }
    const relayable: Relayable = { ...result, attempt };
    if (!this.#isProvisional(runner, relayable)) {
      this.#win(runner, relayable);
      return;
    }
    // A refusal is the last word only where nobody has anything better.
    if (!this.#reserve || this.#reserve.result.outcome === 'refused') this.#reserve = { runner, result: relayable };
    this.#proceed();
  }

  /**
   * A refusal, or a tag that nobody can vouch for, must not outrun the answer of who is merely slow. The refusal of one that was asked
   * before all others is final: nobody gets from a hedge what that one does not give (rule 3).
   */
  #isProvisional({ started }: Runner, result: Relayable): boolean {
    const slow = [...this.#running];
    if (result.outcome === 'refused') return slow.some((other) => other.started <= started);
    const attempts = [...slow.map(({ attempt }) => attempt), ...this.#passedOver()];
    return this.#plan.provisional?.(result, new Set(attempts.map(({ upstream }) => upstream))) === true;
  }

  /** Attempts that are to come last only because their upstream is slow. */
  #passedOver(): Attempt[] {
    return this.#queue.filter(({ upstream, url }) => this.#context.upstreams.get(upstream)?.replica(url)?.view().slow);
  }

  /** Who may know better than what is in reserve is asked after all. */
  #startSlow(): boolean {
    const [attempt] = this.#passedOver();
    if (!attempt) return false;
    this.#queue.splice(this.#queue.indexOf(attempt), 1);
    this.#queue.unshift(attempt);
    return this.#startNext(false);
  }

  #unserved(attempt: Attempt, result: Extract<AttemptResult, { outcome: 'absent' | 'failed' }>): void {
    if (result.outcome === 'failed' && result.abandoned && this.#plan.untilCanaryFails !== true)
      this.#queue.push(attempt);
    else this.#endings.push({ upstream: attempt.upstream, ...result });
    if (result.outcome !== 'absent') return;
    if (result.confirmed) this.#plan.onAbsent?.(attempt.upstream);
    const absence = { confirmed: result.confirmed, preferred: attempt.upstream === this.#preferred };
    if (absenceEnds(absence, this.#plan.route.onAbsent))
      this.#end(() => this.#outcome.reject(new OciError(this.#plan.absent)));
  }

  #win(winner: Runner, result: Relayable): void {
    if (winner.hedge) this.#scope.hedges.won += 1;
    for (const runner of this.#running) {
      if (runner.started > winner.started) continue;
      // It was asked before, and is still silent: that is what its breaker should know.
      const error = new UpstreamError('late', `${winner.attempt.upstream} answered first`);
      runner.control.abort(error);
      this.#note(runner, { outcome: 'failed', reason: error.reason, detail: error.message });
    }
    this.#end(() => this.#outcome.resolve(result), true);
  }

  #end(settle: () => void, won = false): void {
    if (this.#over) return;
    this.#over = true;
    for (const runner of this.#running) {
      clearTimeout(runner.timer);
      runner.control.abort(new ClientGone());
    }
    this.#running.clear();
    if (!won && this.#reserve) discardAnswer(this.#reserve.result);
    settle();
  }

  #note({ attempt, started }: Runner, result: AttemptResult): void {
    this.#scope.attempts.push(attemptRecord(attempt, result, Math.round(performance.now() - started)));
  }
}

function isKnownBad(upstream: Upstream, { url, class: trafficClass }: Attempt): boolean {
  const view = upstream.replica(url)?.view();
  return view !== undefined && obstacleTo(view, trafficClass, Date.now()) !== undefined;
}
