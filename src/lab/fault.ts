import { z } from 'zod';

/** What a request asks for, as faults are scoped by it. `download` is the second hop of a redirected blob. */
export const LAB_KINDS = [
  'ping',
  'catalog',
  'manifest',
  'blob',
  'upload',
  'tags',
  'referrers',
  'download',
  'token',
  'api',
  'ui',
  'invalid',
] as const;
export type LabKind = (typeof LAB_KINDS)[number];

const CONTENT: readonly LabKind[] = ['catalog', 'manifest', 'blob', 'upload', 'tags', 'referrers', 'download'];
const REGISTRY: readonly LabKind[] = ['ping', ...CONTENT];
const BODIES: readonly LabKind[] = ['blob', 'download'];

const kind = z.enum(LAB_KINDS);
const filters = {
  path: z
    .union([z.instanceof(RegExp), z.string().min(1).max(200)])
    .transform((value, context) => {
      try {
        // Without g and y: those keep a position from one request to the next.
        return new RegExp(value, typeof value === 'string' ? '' : value.flags.replace(/[gy]/g, ''));
      } catch (error) {
        context.addIssue({ code: 'custom', message: `a regular expression: ${String(error)}` });
        return z.NEVER;
      }
    })
    .optional(),
  kind: z
    .union([kind, z.array(kind).min(1)])
    .transform((value): readonly LabKind[] => (typeof value === 'string' ? [value] : value))
    .optional(),
  times: z.int().min(1).optional(),
  every: z.int().min(1).optional(),
};

const parameters = z.object({
  ...filters,
  /** Bytes into the body of the reply (cut, short, stall), offset in the blob (corrupt), or difference in length (wrongLength). */
  bytes: z.int().optional(),
  fraction: z.number().min(0).max(1).optional(),
  status: z.int().min(400).max(599).optional(),
  /** Seconds. */
  retryAfter: z.int().min(0).max(86_400).optional(),
  body: z.string().max(65_536).optional(),
  bytesPerSecond: z.int().min(1).optional(),
  /** Milliseconds before the first byte. */
  ms: z.int().min(0).max(3_600_000).optional(),
  component: z.string().max(64).optional(),
});

/** Parameters of a fault that is on. */
export type FaultParameters = z.output<typeof parameters>;
/** As given: `path` may be text, `kind` one name. */
export type FaultInput = z.input<typeof parameters>;

interface FaultKind {
  says: string;
  /** What it concerns unless `kind` says otherwise. */
  kinds: readonly LabKind[];
  takes: z.ZodType;
}

const { fraction, status, retryAfter, body, bytesPerSecond, ms, component } = parameters.shape;
const bytes = z.int().min(0).optional();
const scoped = <T extends z.ZodRawShape>(own: T) => z.strictObject({ ...filters, ...own });

/** Every fault there is. */
export const FAULTS = {
  down: { says: 'refuses connections, and cuts open ones', kinds: [], takes: z.strictObject({}) },
  frozen: { says: 'accepts connections, and never answers', kinds: LAB_KINDS, takes: scoped({}) },
  storageHung: { says: 'answers /v2/, but never a manifest, blob or tag list', kinds: CONTENT, takes: scoped({}) },
  storageGone: { says: 'answers /v2/, but its storage is an empty mount point', kinds: CONTENT, takes: scoped({}) },
  errors: {
    says: 'answers /v2/, and all else with 500 (status, retryAfter, body)',
    kinds: CONTENT,
    takes: scoped({ status, retryAfter, body }),
  },
  cut: { says: 'resets blobs in the middle (bytes or fraction)', kinds: BODIES, takes: scoped({ bytes, fraction }) },
  short: { says: 'ends blobs too early (bytes or fraction)', kinds: BODIES, takes: scoped({ bytes, fraction }) },
  stall: { says: 'stops blobs in the middle (bytes or fraction)', kinds: BODIES, takes: scoped({ bytes, fraction }) },
  slow: { says: 'sends blobs at 4 MB a second (bytesPerSecond)', kinds: BODIES, takes: scoped({ bytesPerSecond }) },
  delay: { says: 'answers late, after 1 s (ms)', kinds: CONTENT, takes: scoped({ ms }) },
  corrupt: { says: 'sends one wrong byte in each blob (bytes: which)', kinds: BODIES, takes: scoped({ bytes }) },
  wrongLength: {
    says: 'sends blobs too short or too long (bytes: by how much)',
    kinds: BODIES,
    takes: scoped({ bytes: parameters.shape.bytes }),
  },
  emptyChallenge401: {
    says: 'answers every request with 401 without a challenge',
    kinds: REGISTRY,
    takes: scoped({}),
  },
  databaseDown: {
    says: 'refuses every login, as Harbor without its database; its health says so after 5 s (ms)',
    kinds: [...REGISTRY, 'token'],
    takes: scoped({ ms }),
  },
  rateLimited: { says: 'answers 429 (retryAfter)', kinds: CONTENT, takes: scoped({ retryAfter }) },
  readOnly: { says: 'answers writes with 403 DENIED, as Harbor in read-only mode', kinds: REGISTRY, takes: scoped({}) },
  unhealthy: {
    says: 'reports an unhealthy component, as Harbor does (component)',
    kinds: ['api'],
    takes: z.strictObject({ component }),
  },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** Finds a fault however it is written: `storageHung`, `storage-hung`, `storagehung`. */
export function faultNamed(text: string): FaultName | undefined {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return FAULT_NAMES.find((name) => plain(name) === plain(text));
}

/** @throws RangeError that says what the fault takes. */
export function readFaultParameters(name: FaultName, input: unknown): FaultParameters {
  const result = FAULTS[name].takes.safeParse(input ?? {});
  if (result.success) return result.data as FaultParameters;
  const keys = Object.keys(FAULTS[name].takes.shape);
  const what = result.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '));
  throw new RangeError(`${name} takes ${keys.join(', ') || 'no parameters'}: ${what.join('; ')}`);
}
