import { monotonicNow } from '../../clock/clock.ts';
import type { ProbeConfig } from '../../config/schema.ts';
import { probeDelay } from '../../failover/health.ts';
import type { CanaryState } from '../../failover/view.ts';
import { inBackground } from '../../http/background.ts';
import type { Connection } from '../connection.ts';
import { asUpstreamError } from '../upstream-error.ts';
import type { ProbeGet } from './byte-range-probe.ts';
import { type Looker, lookForContent } from './content-look.ts';
import { type ProbeReport, probe, readCanary } from './probe.ts';
import type { Replica } from './replica.ts';

/** Probe intervals between looks for content where a look has shown nothing, for example because the upstream has no catalog. */
const INTERVALS_IF_UNCLEAR = 15;

/** Probes one URL again and again; sooner while its state changes, or after trouble in traffic. */
export class Prober {
  readonly #replica: Replica;
  readonly #connection: Connection;
  readonly #config: ProbeConfig;
  readonly #onReport: (report: ProbeReport) => void;
  readonly #looker: Looker;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  /** Trouble was met during a probe that began before it. */
  #probeAgain = false;
  /** Start of the last probe; monotonic milliseconds. */
  #startedAt = 0;
  #stopped = false;
  /** When the URL may be asked for its list again; monotonic milliseconds. */
  #nextLookAt = 0;
  #dueAt = 0;
  #confirmation: Promise<CanaryState> | undefined;
  #nextConfirmation: Promise<CanaryState> | undefined;

  constructor(
    replica: Replica,
    connection: Connection,
    config: ProbeConfig,
    looker: Looker,
    onReport: (report: ProbeReport) => void,
  ) {
    this.#replica = replica;
    this.#connection = connection;
    this.#config = config;
    this.#looker = looker;
    this.#onReport = onReport;
    replica.onTrouble = () => this.#probeSoon();
    replica.readCanary = () => this.confirmCanary();
  }

  /** Starts probing. Resolves after the first probe. It takes at most `timeout`, and as long again if there is no canary to read. */
  async start(): Promise<void> {
    await this.#probe();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * Reads the canary to tell whether the upstream can reach its storage now. The read begins after this call;
   * simultaneous callers share one.
   */
  async confirmCanary(): Promise<CanaryState> {
    if (!this.#confirmation) {
      this.#confirmation = this.#readCanary().finally(() => {
        this.#confirmation = undefined;
      });
      return this.#confirmation;
    }
    // The read under way began before this call, so its result does not count.
    this.#nextConfirmation ??= this.#confirmation.then(() => {
      this.#nextConfirmation = undefined;
      return this.confirmCanary();
    });
    return this.#nextConfirmation;
  }

  async #readCanary(): Promise<CanaryState> {
    const state = await readCanary(this.#replica.canary, this.#get(AbortSignal.timeout(this.#config.timeout)));
    this.#replica.recordCanary(state);
    return state;
  }

  /** Brings the next probe forward after a failure in traffic, but never below `fastInterval`. */
  #probeSoon(): void {
    if (this.#running) this.#probeAgain = true;
    if (this.#stopped || this.#running) return;
    const now = monotonicNow();
    const due = Math.max(now + this.#config.fastInterval / 10, this.#startedAt + this.#config.fastInterval);
    if (due < this.#dueAt) this.#schedule(due - now);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#dueAt = monotonicNow() + ms;
    this.#timer = setTimeout(this.#probe, ms);
    this.#timer.unref();
  }

  /** Probes once, and schedules the next probe. */
  readonly #probe = inBackground(
    'probe',
    async () => {
      await this.#probeOnce();
      const delay = probeDelay(this.#replica.health, this.#config, Math.random());
      this.#schedule(this.#probeAgain ? Math.min(delay, this.#config.fastInterval) : delay);
    },
    () => {
      this.#running = false;
      this.#schedule(this.#config.interval);
    },
  );

  async #probeOnce(): Promise<void> {
    this.#running = true;
    this.#probeAgain = false;
    this.#startedAt = monotonicNow();
    const signal = AbortSignal.timeout(this.#config.timeout);
    const report = await probe(this.#config.kind, this.#replica.canary, this.#get(signal), signal);
    const tookMs = Math.round(monotonicNow() - this.#startedAt);
    if (report.ok && report.canary === 'none') await this.#lookForContent();
    this.#running = false;
    if (this.#stopped) return;
    this.#replica.recordProbe(report, tookMs);
    this.#onReport(report);
  }

  /** Looks for content where none was seen yet and no canary tells. A registry whose storage is not mounted lists nothing. */
  async #lookForContent(): Promise<void> {
    const { state } = this.#replica.proof;
    if (this.#stopped || state === 'proven' || monotonicNow() < this.#nextLookAt) return;
    const get = this.#get(AbortSignal.timeout(this.#config.timeout));
    const sight = await lookForContent(this.#config.kind, get, this.#looker).catch((error: unknown) => ({
      kind: 'unclear' as const,
      reason: `its list of repositories cannot be read (${asUpstreamError(error).summary})`,
    }));
    const intervals = sight.kind === 'unclear' ? INTERVALS_IF_UNCLEAR : 0;
    this.#nextLookAt = monotonicNow() + intervals * this.#config.interval;
    this.#replica.recordSight(sight);
  }

  #get(signal: AbortSignal): ProbeGet {
    return (path, headers, scopes) => {
      const call = { method: 'GET', path, headers, signal, redirects: 'follow' } as const;
      if (scopes === 'api') return this.#connection.sendApi({ ...call, scopes: [], redirects: 'pass' });
      return this.#connection.sendProbe({ ...call, scopes });
    };
  }
}
