import { asUpstreamError } from '../upstream-error.ts';
import type { CanaryReading, ProbeGet } from './byte-range-probe.ts';
import type { Canary } from './canary.ts';

/** How a probe reads an upstream, with the probe's own credentials and without them. */
export interface ProbeAccess {
  get: ProbeGet;
  /** Reads without them: with those of pulls, or as nobody. Undefined: the probe has no credentials of its own. */
  getWithout: ProbeGet | undefined;
  /** Whether the upstream is known to refuse them. */
  refused: boolean;
  /** The same, after a check that begins now if it is due. Never rejects. */
  confirmRefused(): Promise<boolean>;
}

/** The probe's own account. */
export interface ProbeAccount {
  /** `total`: the upstream refuses it altogether. */
  readonly refusal: { total: boolean } | undefined;
  confirmRefused(): Promise<boolean>;
}

const DENIALS = [401, 403];
/** A registry may answer 404 for what it hides. */
const HIDDEN = [...DENIALS, 404];
const UNREADABLE: CanaryReading = {
  state: 'none',
  reason: "the version check passed; the probe's credentials are refused, and the canary cannot be read without them",
};

/**
 * Reads the canary. Credentials that the upstream refuses are no outage of the upstream: the canary is then read without them, as far as
 * that goes.
 */
export async function readWithAccess(canary: Canary, access: ProbeAccess): Promise<CanaryReading> {
  const { get, getWithout } = access;
  if (getWithout && access.refused) return readWithout(canary, getWithout);
  const reading = await attempted(canary, get);
  if (!getWithout || !isDenied(reading, DENIALS) || !(await access.confirmRefused())) return unwrapped(reading);
  return readWithout(canary, getWithout);
}

async function readWithout(canary: Canary, get: ProbeGet): Promise<CanaryReading> {
  const reading = await attempted(canary, get);
  if (isDenied(reading, canary.readWithoutAccount ? DENIALS : HIDDEN)) return UNREADABLE;
  const read = unwrapped(reading);
  if (read.state === 'good') canary.readWithoutAccount = true;
  return read;
}

/** A read that was refused its token rejects; that is a result here. */
type Attempted = CanaryReading | { error: unknown };

async function attempted(canary: Canary, get: ProbeGet): Promise<Attempted> {
  try {
    return await canary.read(get);
  } catch (error) {
    return { error };
  }
}

function isDenied(reading: Attempted, statuses: readonly number[]): boolean {
  if ('error' in reading) return asUpstreamError(reading.error).reason === 'credentials';
  return reading.state === 'failing' && reading.status !== undefined && statuses.includes(reading.status);
}

function unwrapped(reading: Attempted): CanaryReading {
  if ('error' in reading) throw reading.error;
  return reading;
}
