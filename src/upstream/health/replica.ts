import type { UpstreamConfig } from '../../config/schema.ts';
import { type Health, initialHealth, nextHealth } from '../../failover/health.ts';
import { Latency } from '../../failover/latency.ts';
import {
  type BreakerState,
  type CanaryState,
  type ReplicaView,
  TRAFFIC_CLASSES,
  type TrafficClass,
} from '../../failover/view.ts';
import type { UpstreamEvents } from '../events.ts';
import { AttemptPermit, type AttemptVerdict } from './attempt-permit.ts';
import { Breaker } from './breaker.ts';
import type { Canary } from './canary.ts';
import { Turnstile } from './concurrency-limit.ts';
import type { ProbeReport } from './probe.ts';

/** Late answers in a row after which others are asked first. */
const LATES = 3;

/** One URL of an upstream: its health, its breakers, and what is under way there. No I/O. */
export class Replica {
  readonly url: string;
  readonly canary: Canary;
  /** How long answers take, by class. */
  readonly latency = { control: new Latency(), data: new Latency() };
  readonly #config: UpstreamConfig;
  readonly #breakers: Record<TrafficClass, Breaker>;
  /** Bodies of blobs fail apart from their answers; both count as `data`. */
  readonly #bodies: Breaker;
  readonly #turnstiles: { control: Turnstile; data: Turnstile };
  readonly #events: UpstreamEvents;
  readonly #name: string;
  #health: Health = initialHealth(Date.now());
  #canaryState: CanaryState;
  #lastProbeAt: number | undefined;
  #probeMs: number | undefined;
  #restingUntil = 0;
  /** Traffic met trouble, and no probe has been good since. */
  #suspected = false;
  #suspectedAt = 0;
  /** Of late answers only. */
  #slow = false;
  /** Late answers since the last good one. */
  #lates = 0;
  /** Called when something is found to be wrong outside of a probe. */
  onTrouble: () => void = () => undefined;

  constructor(name: string, url: string, config: UpstreamConfig, canary: Canary, events: UpstreamEvents) {
    this.#name = name;
    this.url = url;
    this.#config = config;
    this.#events = events;
    this.canary = canary;
    const { control, data, queue } = config.maxInFlight;
    this.#turnstiles = { control: new Turnstile(control, queue), data: new Turnstile(data, queue) };
    this.#canaryState = canary.configured ? 'failing' : 'none';
    const breaker = (trafficClass: TrafficClass) =>
      new Breaker(config.breaker, (state) => this.#events.breaker(name, url, trafficClass, state));
    this.#breakers = {
      control: breaker('control'),
      data: breaker('data'),
      push: breaker('push'),
      passthrough: breaker('passthrough'),
    };
    this.#bodies = breaker('data');
  }

  get health(): Health {
    return this.#health;
  }

  /** A place for an attempt; undefined if as many are under way as may be. */
  begin(trafficClass: TrafficClass): AttemptPermit | undefined {
    const turnstile = this.#turnstile(trafficClass);
    return !turnstile || turnstile.enter() ? this.#permit(trafficClass, turnstile) : undefined;
  }

  /** The same, in turn if there is none now; undefined: too many wait already, or the signal was aborted. */
  async wait(trafficClass: TrafficClass, signal: AbortSignal): Promise<AttemptPermit | undefined> {
    const turnstile = this.#turnstile(trafficClass);
    if (!turnstile) return this.#permit(trafficClass, undefined);
    return (await turnstile.wait(signal)) ? this.#permit(trafficClass, turnstile) : undefined;
  }

  /** A place among the small reads for what is no attempt, in turn; undefined as for `wait`. @returns gives it back */
  async place(signal: AbortSignal): Promise<(() => void) | undefined> {
    const { control } = this.#turnstiles;
    return (await control.wait(signal)) ? () => control.leave() : undefined;
  }

  #turnstile(trafficClass: TrafficClass): Turnstile | undefined {
    return trafficClass === 'data' || trafficClass === 'control' ? this.#turnstiles[trafficClass] : undefined;
  }

  #permit(trafficClass: TrafficClass, turnstile: Turnstile | undefined): AttemptPermit {
    return new AttemptPermit(
      this.#breakers[trafficClass],
      trafficClass === 'data' ? this.#bodies : undefined,
      (verdict) => this.#heard(verdict),
      () => turnstile?.leave(),
    );
  }

  #heard(verdict: AttemptVerdict): void {
    if (verdict === 'good') this.#lates = 0;
    else if (verdict === 'bad') this.suspect();
    else if (verdict === 'late') this.#late();
  }

  /** A late answer is no reason to ask elsewhere first; several in a row are, until a probe shows how it is. */
  #late(): void {
    this.#lates += 1;
    if (this.#lates < LATES) {
      this.onTrouble();
      return;
    }
    const slow = !this.#suspected || this.#slow;
    this.suspect();
    this.#slow = slow;
  }

  /** Takes note of trouble met outside of a probe: until one is good, others are asked first. */
  suspect(): void {
    this.#suspected = true;
    this.#slow = false;
    this.#suspectedAt = Date.now();
    this.onTrouble();
  }

  /** Leaves it alone for so many milliseconds, because it asked for that. */
  rest(ms: number): void {
    this.#restingUntil = Math.max(this.#restingUntil, Date.now() + ms);
  }

  /** Takes in what a probe showed. */
  probed(report: ProbeReport, tookMs: number): void {
    const now = Date.now();
    const before = this.#health;
    this.#health = nextHealth(before, report, this.#config.probe, now);
    this.#lastProbeAt = now;
    this.#probeMs = tookMs;
    this.#canaryState = report.canary;
    // A probe that began before the trouble says nothing of it.
    if (report.ok && now - tookMs >= this.#suspectedAt) this.#suspected = false;
    if (before.state === this.#health.state) return;
    this.#events.health(this.#name, this.url, before.state, this.#health.state, this.#health.reason);
    // A shallow probe must not un-eject a sick upstream: only a canary closes its breakers (facts/node.md trap 7).
    if (this.#health.state === 'up' && before.state === 'down' && report.canary === 'good') this.#recover();
  }

  /** Takes in a canary read between probes: after bad news the next probe is due; good news change nothing, so that nothing flaps. */
  canaryRead(state: CanaryState): void {
    this.#canaryState = state;
    if (state === 'failing') this.suspect();
  }

  view(): ReplicaView {
    const state = (trafficClass: TrafficClass): BreakerState =>
      trafficClass === 'data'
        ? worse(this.#breakers.data.state, this.#bodies.state)
        : this.#breakers[trafficClass].state;
    const trialFree = (trafficClass: TrafficClass): boolean =>
      trafficClass === 'data'
        ? [this.#breakers.data, this.#bodies].every((one) => one.state === 'closed' || one.trialFree)
        : this.#breakers[trafficClass].trialFree;
    return {
      url: this.url,
      state: this.#health.state,
      since: this.#health.since,
      reason: this.#health.reason,
      canary: this.#canaryState,
      lastProbeAt: this.#lastProbeAt,
      probeMs: this.#probeMs,
      breakers: perClass(state),
      trialFree: perClass(trialFree),
      suspected: this.#suspected,
      slow: this.#suspected && this.#slow && this.#health.state === 'up',
      restingUntil: this.#restingUntil,
      inFlight: { control: this.#turnstiles.control.inUse, data: this.#turnstiles.data.inUse },
      waiting: { control: this.#turnstiles.control.waiting, data: this.#turnstiles.data.waiting },
      saturated: { control: this.#turnstiles.control.full, data: this.#turnstiles.data.full },
      firstByteP95: { control: this.latency.control.p95, data: this.latency.data.p95 },
    };
  }

  dispose(): void {
    for (const trafficClass of TRAFFIC_CLASSES) this.#breakers[trafficClass].dispose();
    this.#bodies.dispose();
  }

  #recover(): void {
    for (const trafficClass of TRAFFIC_CLASSES) this.#breakers[trafficClass].recover();
    this.#bodies.recover();
  }
}

function perClass<T>(of: (trafficClass: TrafficClass) => T): Record<TrafficClass, T> {
  return { control: of('control'), data: of('data'), push: of('push'), passthrough: of('passthrough') };
}

const ORDER: readonly BreakerState[] = ['closed', 'half-open', 'open'];

function worse(a: BreakerState, b: BreakerState): BreakerState {
  return ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b;
}
