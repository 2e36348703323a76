import { OciError } from '../../oci/error.ts';

/** Parameters of a coverage request. */
export interface CoverageQuery {
  /** Only content that was pulled in the last so many milliseconds; undefined: everything. */
  pulledMs: number | undefined;
  /** The same as the client wrote it. */
  pulled: string | undefined;
  /** Only routes with this prefix; `*` stands for the empty prefix. */
  route: string | undefined;
  /** Milliseconds for which something may be unknown before it is a finding; undefined: as configured. */
  graceMs: number | undefined;
  /** Most repositories listed for each route, and most references listed for each repository. */
  limit: number;
}

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Days for which pulls are remembered. */
const MAX_DAYS = 31;
const LIMIT = 20;
const MAX_LIMIT = 1000;

/** @throws OciError for parameters that cannot be read */
export function readCoverageQuery(query: URLSearchParams): CoverageQuery {
  const pulled = query.get('pulled') ?? undefined;
  const grace = query.get('grace') ?? undefined;
  return {
    pulledMs: pulled === undefined ? undefined : windowMs('pulled', pulled),
    pulled,
    route: query.get('route') ?? undefined,
    graceMs: grace === undefined ? undefined : windowMs('grace', grace),
    limit: limitOf(query.get('limit')),
  };
}

function windowMs(name: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(digits) * (UNIT_MS[unit] ?? 0);
  if (ms > 0 && ms <= MAX_DAYS * 86_400_000) return ms;
  throw new OciError('NAME_INVALID', `${name} must be a time such as 12h or 7d, at most ${MAX_DAYS}d`);
}

function limitOf(text: string | null): number {
  if (text === null) return LIMIT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new OciError('NAME_INVALID', `limit must be a number from 1 to ${MAX_LIMIT}`);
}
