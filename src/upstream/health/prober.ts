import { monotonicNow } from '../../clock/clock.ts';
import type { ProbeConfig } from '../../config/schema.ts';
import { probeDelay } from '../../failover/health.ts';
import { ProbeTimes } from '../../failover/probe-times.ts';
import type { CanaryState } from '../../failover/view.ts';
import { inBackground } from '../../http/background.ts';
import { REFERRERS_TYPE, type ReferrersSupport, supportShown } from '../../oci/referrers-list.ts';
import { readBody } from '../body/read-body.ts';
import type { Connection } from '../connection.ts';
import { LoopDelay } from '../loop-delay.ts';
import { asUpstreamError } from '../upstream-error.ts';
import { withinLimit } from '../within-limit.ts';
import { type ProbeGet, pullScope } from './byte-range-probe.ts';
import { CanaryReads } from './canary-reads.ts';
import { type Looker, lookForContent } from './content-look.ts';
import { type ProbeReport, probe } from './probe.ts';
import type { ProbeAccess, ProbeAccount } from './probe-access.ts';
import type { Replica } from './replica.ts';

/** Probe intervals between looks for content where a look has shown nothing, for example because the upstream has no catalog. */
const INTERVALS_IF_UNCLEAR = 15;

export interface ProberOptions {
  looker: Looker;
  onReport: (report: ProbeReport) => void;
  /** The account of the probe, where it has one of its own. */
  account: () => ProbeAccount | undefined;
}

/** Bytes of a list of referrers. */
const MAX_LIST = 4_194_304;

interface TimedReport {
  report: ProbeReport;
  /** Milliseconds; see `LoopDelay.answeredAfterMs`. */
  tookMs: number;
}

/** Milliseconds for which one probe that is late goes on, to tell a slow upstream from a silent one (rule 11). */
const PATIENCE_MS = 30_000;

/** Probes one URL again and again; sooner while its state changes, or after trouble in traffic. */
export class Prober {
  readonly #replica: Replica;
  readonly #connection: Connection;
  readonly #config: ProbeConfig;
  readonly #options: ProberOptions;
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
  /** The late probe that goes on. */
  #lateProbe: AbortController | undefined;
  readonly #times: ProbeTimes;
  readonly #canaryReads: CanaryReads;

  constructor(replica: Replica, connection: Connection, config: ProbeConfig, options: ProberOptions) {
    this.#replica = replica;
    this.#connection = connection;
    this.#config = config;
    this.#times = new ProbeTimes(config.timeout);
    this.#options = options;
    this.#canaryReads = new CanaryReads({
      canary: replica.canary,
      access: (signal) => this.#access(signal),
      limit: () => this.#limit,
      onRead: (state, late) => replica.recordCanary(state, late),
    });
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
    this.#lateProbe?.abort();
  }

  /**
   * Reads the canary to tell whether the upstream can reach its storage now. The read begins after this call;
   * simultaneous callers share one. A read that takes longer than a probe may counts as failed.
   * @param since a read under way counts too if it began then or later; monotonic milliseconds
   */
  async confirmCanary(since?: number): Promise<CanaryState> {
    return (await this.#canaryReads.begin(since)).soon;
  }

  /** The same for a write, which has no other upstream: a late read is waited for. */
  async confirmCanaryPatiently(): Promise<CanaryState> {
    return (await this.#canaryReads.begin()).last();
  }

  /**
   * Whether the registry lists the referrers of content that the probe has read. A 404 counts only if the canary, read after it, is good.
   * @throws UpstreamError, or the signal's reason
   */
  async lookForReferrers(): Promise<ReferrersSupport> {
    const { readable } = this.#replica.canary;
    if (!readable) return 'unknown';
    const get = this.#get(AbortSignal.timeout(this.#limit), this.#options.account()?.refusal?.total);
    const path = `/v2/${readable.repository}/referrers/${readable.digest}`;
    const { status, body } = await get(path, { accept: REFERRERS_TYPE }, [pullScope(readable.repository)]);
    const support = supportShown(status, await readBody(body, MAX_LIST));
    return support === 'lacks' && (await this.confirmCanary()) !== 'good' ? 'unknown' : support;
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

  /** A slow upstream has more time. */
  get #limit(): number {
    return this.#times.limit;
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
    const { report, tookMs } = await this.#probeUnlessRefused();
    if (report.ok && report.canary === 'none') await this.#lookForContent();
    this.#running = false;
    if (this.#stopped) return;
    this.#apply(report, tookMs);
  }

  /**
   * Harbor takes longer than a probe may to refuse an account. Where nothing is known of the URL yet, an ended account must not look like a
   * silent upstream: the probe is then made again without it.
   */
  async #probeUnlessRefused(): Promise<TimedReport> {
    const timed = await this.#timedProbe();
    if (!timed.report.late || this.#replica.health.state !== 'unknown') return timed;
    if (!(await this.#options.account()?.confirmRefused())) return timed;
    this.#startedAt = monotonicNow();
    return this.#timedProbe();
  }

  /** Looks for content where none was seen yet and no canary tells. A registry whose storage is not mounted lists nothing. */
  async #lookForContent(): Promise<void> {
    const { state } = this.#replica.proof;
    if (this.#stopped || state === 'proven' || monotonicNow() < this.#nextLookAt) return;
    const get = this.#get(AbortSignal.timeout(this.#limit), this.#options.account()?.refusal?.total);
    const sight = await lookForContent(this.#config.kind, get, this.#options.looker).catch((error: unknown) => ({
      kind: 'unclear' as const,
      reason: `its list of repositories cannot be read (${asUpstreamError(error).summary})`,
    }));
    const intervals = sight.kind === 'unclear' ? INTERVALS_IF_UNCLEAR : 0;
    this.#nextLookAt = monotonicNow() + intervals * this.#config.interval;
    this.#replica.recordSight(sight);
  }

  async #timedProbe(): Promise<TimedReport> {
    const loop = new LoopDelay();
    const control = new AbortController();
    const { signal } = control;
    const limit = this.#limit;
    // Harbor's own report may take a minute, and must not delay the probe.
    const beside = AbortSignal.any([signal, AbortSignal.timeout(Math.round(0.8 * limit))]);
    const { kind } = this.#config;
    const { canary } = this.#replica;
    const probing = probe(kind, canary, this.#access(signal), signal, this.#get(beside));
    const report = await withinLimit(probing, limit).catch((error: unknown) => {
      loop.stop();
      throw error;
    });
    if (report !== 'late') {
      control.abort();
      loop.stop();
      return { report, tookMs: loop.answeredAfterMs };
    }
    const tookMs = loop.answeredAfterMs;
    if (this.#lateProbe) {
      control.abort();
      loop.stop();
    } else void this.#awaitLate(probing, control, loop);
    const state = canary.configured ? 'failing' : 'none';
    const unknown = { readOnly: undefined, unhealthy: undefined };
    return { report: { ok: false, reason: 'the probe timed out', canary: state, late: true, ...unknown }, tookMs };
  }

  readonly #awaitLate = inBackground(
    'probe',
    async (probing: Promise<ProbeReport>, control: AbortController, loop: LoopDelay) => {
      this.#lateProbe = control;
      const timer = setTimeout(() => control.abort(), PATIENCE_MS).unref();
      const report = await probing.finally(() => loop.stop());
      clearTimeout(timer);
      this.#lateProbe = undefined;
      if (report.ok && !this.#stopped) this.#apply({ ...report, late: true }, loop.answeredAfterMs);
    },
    () => {
      this.#lateProbe = undefined;
    },
  );

  #apply(report: ProbeReport, tookMs: number): void {
    if (report.notSent) return;
    if (report.ok) this.#times.addGood(tookMs, monotonicNow());
    this.#replica.recordProbe(report, tookMs);
    this.#options.onReport(report);
  }

  #access(signal: AbortSignal): ProbeAccess {
    const account = this.#options.account();
    return {
      get: this.#get(signal),
      getWithout: account && this.#get(signal, true),
      refused: account?.refusal?.total === true,
      confirmRefused: async () => account?.confirmRefused() ?? false,
    };
  }

  #get(signal: AbortSignal, refused = false): ProbeGet {
    return (path, headers, scopes, method = 'GET') => {
      const call = { method, path, headers, signal, redirects: 'follow' } as const;
      if (scopes === 'api') return this.#connection.sendApi({ ...call, scopes: [], redirects: 'pass' });
      return this.#connection.sendProbe({ ...call, scopes }, refused);
    };
  }
}
