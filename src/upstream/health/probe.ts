import type { CanaryState } from '../../failover/view.ts';
import { readJson } from '../body/read-body.ts';
import { asUpstreamError } from '../upstream-error.ts';
import { overloadOf, type ProbeGet } from './byte-range-probe.ts';
import type { Canary } from './canary.ts';

/** The result of one probe of one URL. */
export interface ProbeReport {
  ok: boolean;
  reason: string;
  canary: CanaryState;
  /** Harbor only; undefined when Harbor did not tell. */
  readOnly: boolean | undefined;
  /** Harbor's unhealthy components. */
  unhealthy: string[] | undefined;
  /** The upstream is overloaded and asks for fewer requests for so many milliseconds. */
  retryAfterMs?: number;
}

const MAX_JSON = 262_144;

/**
 * Probes one URL: the version check, the canary, and Harbor's component health and `read_only`. Only the version check
 * and the canary decide between up and down. Harbor's health is cached for 10 s, may take 60 s, and names components
 * that pulls do not need.
 */
export async function probe(
  kind: 'registry' | 'harbor',
  canary: Canary,
  get: ProbeGet,
  signal: AbortSignal,
): Promise<ProbeReport> {
  const report: ProbeReport = {
    ok: false,
    reason: '',
    canary: canary.configured ? 'failing' : 'none',
    readOnly: undefined,
    unhealthy: undefined,
  };
  const harbor = kind === 'harbor' ? harborState(get) : undefined;
  try {
    const version = await get('/v2/', {}, []);
    await version.body.dump({ limit: 16_384 });
    if (version.status !== 200 && version.status !== 401)
      return { ...report, reason: `/v2/ answers ${version.status}`, ...overloadOf(version) };
    const reading = await canary.read(get);
    report.canary = reading.state;
    report.reason = reading.reason;
    report.ok = reading.state !== 'failing';
    if (reading.retryAfterMs !== undefined) report.retryAfterMs = reading.retryAfterMs;
  } catch (error) {
    report.reason = reasonOf(error, signal);
  }
  return { ...report, ...(await harbor) };
}

/** Reads the canary once, to tell whether a 404 can be believed. */
export async function readCanary(canary: Canary, get: ProbeGet): Promise<CanaryState> {
  try {
    const { state, retryAfterMs } = await canary.read(get);
    // An overloaded upstream says nothing about its storage.
    if (retryAfterMs !== undefined) return 'none';
    if (state !== 'none') return state;
    // Without any readable blob, the URL must at least answer the version check.
    const version = await get('/v2/', {}, []);
    await version.body.dump({ limit: 16_384 });
    return version.status < 500 ? 'none' : 'failing';
  } catch {
    return 'failing';
  }
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'the probe timed out';
  return `the probe failed (${asUpstreamError(error).summary})`;
}

/**
 * Harbor's own report; empty when Harbor does not answer in time, because that alone does not make the upstream
 * unhealthy.
 */
async function harborState(get: ProbeGet): Promise<Pick<ProbeReport, 'readOnly' | 'unhealthy'>> {
  const [health, info] = await Promise.all(
    ['health', 'systeminfo'].map((name) => getJson(get, `/api/v2.0/${name}`).catch(() => undefined)),
  );
  return { unhealthy: unhealthyOf(health), readOnly: readOnlyOf(info) };
}

async function getJson(get: ProbeGet, path: string): Promise<unknown> {
  const answer = await get(path, { accept: 'application/json' }, 'api');
  if (answer.status === 200) return readJson(answer.body, MAX_JSON);
  await answer.body.dump({ limit: 16_384 });
  return undefined;
}

function unhealthyOf(health: unknown): string[] | undefined {
  if (typeof health !== 'object' || health === null || !('components' in health) || !Array.isArray(health.components))
    return undefined;
  return health.components
    .filter((component) => component?.status !== 'healthy')
    .map((component) => String(component?.name ?? 'unnamed').slice(0, 64));
}

function readOnlyOf(info: unknown): boolean | undefined {
  if (typeof info !== 'object' || info === null || !('read_only' in info)) return undefined;
  return info.read_only === true;
}
