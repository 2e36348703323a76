import type { CanaryState } from '../../failover/view.ts';
import { readJson } from '../body/read-body.ts';
import type { Answer } from '../client.ts';
import { asUpstreamError } from '../upstream-error.ts';
import { overloadOf, type ProbeGet } from './byte-range-probe.ts';
import type { Canary } from './canary.ts';
import { type ProbeAccess, readWithAccess } from './probe-access.ts';

/** The result of one probe of one URL. */
export interface ProbeReport {
  ok: boolean;
  reason: string;
  canary: CanaryState;
  /** Harbor only; undefined when Harbor did not tell. */
  readOnly: boolean | undefined;
  /** Harbor's unhealthy components. */
  unhealthy: string[] | undefined;
  /** Harbor's `auth_mode`: which directory its users are in. Undefined when Harbor did not tell. */
  authMode?: string | undefined;
  /** The upstream is overloaded and asks for fewer requests for so many milliseconds. */
  retryAfterMs?: number;
  /** The probe was not answered within its limit. With `ok`, it was answered later. */
  late?: boolean;
  /** The edge had no descriptor to ask with, so the probe says nothing about the URL. */
  notSent?: boolean;
}

const MAX_JSON = 262_144;

/**
 * Probes one URL: the version check, the canary, and Harbor's component health and `read_only`. Only the version check
 * and the canary decide between up and down. They are asked in parallel, so that a probe takes as long as one request.
 * Harbor's health is cached for 10 s, may take 60 s, and names components that pulls do not need.
 * @param getBeside reads Harbor says of itself; its answer is not waited for long
 */
export async function probe(
  kind: 'registry' | 'harbor',
  canary: Canary,
  access: ProbeAccess,
  signal: AbortSignal,
  getBeside: ProbeGet = access.get,
): Promise<ProbeReport> {
  const report: ProbeReport = {
    ok: false,
    reason: '',
    canary: canary.configured ? 'failing' : 'none',
    readOnly: undefined,
    unhealthy: undefined,
  };
  const harbor = kind === 'harbor' ? harborState(getBeside) : undefined;
  try {
    const [version, reading] = await Promise.all([checkVersion(access), readWithAccess(canary, access)]);
    if (version.status !== 200 && version.status !== 401)
      return { ...report, reason: `/v2/ answers ${version.status}`, ...overloadOf(version) };
    report.canary = reading.state;
    report.reason = reading.reason;
    report.ok = reading.state !== 'failing';
    if (reading.retryAfterMs !== undefined) report.retryAfterMs = reading.retryAfterMs;
  } catch (error) {
    report.reason = reasonOf(error, signal);
    if (lacksDescriptor(error)) report.notSent = true;
  }
  return { ...report, ...(await harbor) };
}

/** Reads the canary once, to tell whether a 404 can be believed. */
export async function readCanary(canary: Canary, access: ProbeAccess): Promise<CanaryState> {
  try {
    const { state, retryAfterMs } = await readWithAccess(canary, access);
    // An overloaded upstream says nothing about its storage.
    if (retryAfterMs !== undefined) return 'none';
    if (state !== 'none') return state;
    // Without any readable blob, the URL must at least answer the version check.
    return (await checkVersion(access)).status < 500 ? 'none' : 'failing';
  } catch (error) {
    return lacksDescriptor(error) ? 'none' : 'failing';
  }
}

/** Whether the edge itself could not ask. */
function lacksDescriptor(error: unknown): boolean {
  return asUpstreamError(error).reason === 'descriptors';
}

async function checkVersion({ get, getWithout, refused }: ProbeAccess): Promise<Answer> {
  const check = async (by: ProbeGet) => {
    const version = await by('/v2/', {}, []);
    await version.body.dump({ limit: 16_384 });
    return version;
  };
  if (getWithout && refused) return check(getWithout);
  return check(get).catch((error: unknown) => {
    // The version check has answered, with a challenge; the token service refuses the probe's account.
    if (!getWithout || asUpstreamError(error).reason !== 'credentials') throw error;
    return check(getWithout);
  });
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'the probe timed out';
  return `the probe failed (${asUpstreamError(error).summary})`;
}

/**
 * Harbor's own report; empty when Harbor does not answer in time, because that alone does not make the upstream
 * unhealthy.
 */
async function harborState(get: ProbeGet): Promise<Pick<ProbeReport, 'readOnly' | 'unhealthy' | 'authMode'>> {
  const [health, info] = await Promise.all(
    ['health', 'systeminfo'].map((name) => getJson(get, `/api/v2.0/${name}`).catch(() => undefined)),
  );
  return { unhealthy: unhealthyOf(health), readOnly: readOnlyOf(info), authMode: authModeOf(info) };
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

function authModeOf(info: unknown): string | undefined {
  if (typeof info !== 'object' || info === null || !('auth_mode' in info)) return undefined;
  return typeof info.auth_mode === 'string' ? info.auth_mode : undefined;
}
