import type { CanaryState } from '../../failover/view.ts';
import { readJson } from '../body/read-body.ts';
import { asUpstreamError } from '../upstream-error.ts';
import type { ProbeGet } from './byte-range-probe.ts';
import type { Canary } from './canary.ts';

/** What one probe of one URL showed. */
export interface ProbeReport {
  ok: boolean;
  reason: string;
  canary: CanaryState;
  /** Harbor only; undefined where it was not told. */
  readOnly: boolean | undefined;
  /** Harbor's unhealthy components. */
  unhealthy: string[] | undefined;
}

const MAX_JSON = 262_144;

/**
 * Probes one URL: the version check, Harbor's component health and `read_only`, and the canary. Only the version check and the canary
 * decide over up and down: Harbor's health is cached for 10 s, may take 60 s, and names components that pulls do not need.
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
      return { ...report, reason: `/v2/ answers ${version.status}` };
    const reading = await canary.read(get);
    report.canary = reading.state;
    report.reason = reading.reason;
    report.ok = reading.state !== 'failing';
  } catch (error) {
    report.reason = reasonOf(error, signal);
  }
  return { ...report, ...(await harbor) };
}

/** One canary read, to tell whether a 404 means anything. */
export async function readCanary(
  canary: Canary,
  get: ProbeGet,
  signal: AbortSignal,
): Promise<{ state: CanaryState; reason: string }> {
  try {
    const reading = await canary.read(get);
    if (reading.state !== 'none') return reading;
    // Nothing can be read to tell: then at least it has to answer at all.
    const version = await get('/v2/', {}, []);
    await version.body.dump({ limit: 16_384 });
    return version.status < 500 ? reading : { state: 'failing', reason: `/v2/ answers ${version.status}` };
  } catch (error) {
    return { state: 'failing', reason: reasonOf(error, signal) };
  }
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'the probe timed out';
  return `the probe failed (${asUpstreamError(error).summary})`;
}

/** What Harbor says of itself; nothing where it does not say it in time, because that alone is no reason to leave it. */
async function harborState(get: ProbeGet): Promise<Pick<ProbeReport, 'readOnly' | 'unhealthy'>> {
  const [health, info] = await Promise.allSettled([
    getJson(get, '/api/v2.0/health'),
    getJson(get, '/api/v2.0/systeminfo'),
  ]);
  return {
    unhealthy: health.status === 'fulfilled' ? unhealthyOf(health.value) : undefined,
    readOnly: info.status === 'fulfilled' ? readOnlyOf(info.value) : undefined,
  };
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
