import type { LabAuth } from '../../../src/lab/access.ts';
import { RARE_PROBE } from '../../helpers/edge-in-process.ts';
import { INNER, type LabSite, type LabSiteOptions, MANIFEST_TYPE, sha256 } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

// "What an attempt's result means on a pull" (design.md), row by row. Probes stay out of it: the plan is that of a healthy moment.
export const QUICK = {
  connect: '1000ms',
  manifest: '1000ms',
  blob: '1000ms',
  stall: '1000ms',
};
export const BASIC: LabAuth = {
  scheme: 'basic',
  users: [{ username: 'ann', password: 'right', repositories: ['canary'] }],
};
export const MANIFEST = '/v2/library/app/manifests/1';
const NOWHERE = `/v2/library/app/blobs/${sha256('nowhere')}`;

export interface Row {
  says: string;
  site?: LabSiteOptions;
  /** Makes it happen. */
  given?: (site: LabSite) => unknown;
  paths?: (site: LabSite) => string[];
  headers?: Record<string, string>;
  status: number;
  /** The upstream that answers; undefined: the edge itself. */
  from?: 'harbor' | 'gcr';
  /** Why the primary's attempt failed. */
  reason?: string;
  code?: string;
  fallbackAsked: boolean;
}

export const both = ({ image }: LabSite) => [MANIFEST, `/v2/library/app/manifests/${image.digest}`, blobOf(image)];
const blobOf = (image: LabSite['image']) => `/v2/library/app/blobs/${image.blobDigests[0]}`;
const fails = (reason: string) => ({ status: 200, from: 'gcr', reason, fallbackAsked: true }) as const;
/** A probe that may read the canary, whatever the credentials of requests may. */
export const PROBED = { ...RARE_PROBE, credentials: { username: 'ann', passwordFile: 'x' } };
const ownCredentials = { authorization: `Basic ${Buffer.from('ann:right').toString('base64')}` };

export const ROWS: Row[] = [
  { says: 'refused', given: ({ primary }) => primary.faults.on('down'), ...fails('connect') },
  { says: 'frozen', given: ({ primary }) => primary.faults.on('frozen'), ...fails('first-byte') },
  { says: 'storage hung', given: ({ primary }) => primary.faults.on('storageHung'), ...fails('first-byte') },
  { says: 'late', given: ({ primary }) => primary.faults.on('delay', { ms: timeLimit(3000) }), ...fails('first-byte') },
  { says: '500', given: ({ primary }) => primary.faults.on('errors'), ...fails('status-5xx') },
  { says: '503', given: ({ primary }) => primary.faults.on('errors', { status: 503 }), ...fails('status-5xx') },
  { says: '429', given: ({ primary }) => primary.faults.on('rateLimited'), ...fails('rate-limited') },
  { says: 'storage gone', given: ({ primary }) => primary.faults.on('storageGone'), ...fails('canary') },
  {
    says: 'a manifest with other content',
    given: ({ primary, image }) =>
      primary.store.keepManifest(`${INNER}library/app`, image.digest, {
        mediaType: MANIFEST_TYPE,
        bytes: Buffer.from('{}'),
      }),
    paths: ({ image }) => [MANIFEST, `/v2/library/app/manifests/${image.digest}`],
    ...fails('digest'),
  },
  {
    says: 'a manifest that is too long',
    site: { config: { limits: { manifestBytes: 1024 } } },
    given: ({ primary, image }) =>
      primary.store.keepManifest(`${INNER}library/app`, image.digest, {
        mediaType: MANIFEST_TYPE,
        bytes: Buffer.alloc(1025),
      }),
    paths: () => [MANIFEST],
    ...fails('too-large'),
  },
  {
    says: 'reset before the first byte of a body',
    given: ({ primary }) => primary.faults.on('cut', { bytes: 0 }),
    paths: ({ image }) => [blobOf(image)],
    ...fails('reset'),
  },
  {
    says: 'an orderly end before the first byte of a body',
    given: ({ primary }) => primary.faults.on('short', { bytes: 0 }),
    paths: ({ image }) => [blobOf(image)],
    ...fails('short'),
  },
  {
    says: 'headers, and then nothing',
    given: ({ primary }) => primary.faults.on('stall', { bytes: 0 }),
    paths: ({ image }) => [blobOf(image)],
    ...fails('first-byte'),
  },
  {
    says: 'the edge has wrong credentials',
    site: {
      primary: { auth: BASIC },
      harbor: { probe: PROBED, credentials: { username: 'ann', passwordFile: 'x' } },
      settings: { secrets: { harbor: { password: 'wrong', probePassword: 'right' } } },
    },
    ...fails('credentials'),
  },
  {
    says: 'the edge may not (403)',
    site: {
      primary: { auth: BASIC },
      harbor: { probe: PROBED, credentials: { username: 'ann', passwordFile: 'x' } },
      settings: { secrets: { harbor: { password: 'right', probePassword: 'right' } } },
    },
    ...fails('credentials'),
  },
  {
    says: '401 with an empty challenge to own credentials',
    site: { harbor: { credentials: 'forward' } },
    given: ({ primary }) => primary.faults.on('emptyChallenge401'),
    headers: ownCredentials,
    ...fails('authority-dead'),
  },
  {
    says: '401 from a Harbor whose database is down',
    site: {
      primary: { harbor: true, auth: { scheme: 'bearer', users: [{ username: 'ann', password: 'right' }] } },
      harbor: { probe: PROBED, credentials: 'forward' },
      settings: { secrets: { harbor: { probePassword: 'right' } } },
    },
    given: ({ primary }) => primary.faults.on('databaseDown'),
    headers: ownCredentials,
    ...fails('authority-dead'),
  },
  {
    says: 'absent at a good primary',
    paths: () => [NOWHERE],
    status: 404,
    code: 'BLOB_UNKNOWN',
    fallbackAsked: false,
  },
  {
    says: 'absent at a good primary, present at the fallback, onAbsent: stop',
    given: ({ fallback }) => fallback.seed('cloud-project/library/old', '1', { blobs: [1] }),
    paths: () => ['/v2/library/old/manifests/1'],
    status: 404,
    code: 'MANIFEST_UNKNOWN',
    fallbackAsked: false,
  },
  {
    says: 'the same with onAbsent: next',
    site: { route: { onAbsent: 'next' } },
    given: ({ fallback }) => fallback.seed('cloud-project/library/old', '1', { blobs: [1] }),
    paths: () => ['/v2/library/old/manifests/1'],
    status: 200,
    from: 'gcr',
    fallbackAsked: true,
  },
  {
    says: 'the same without a canary',
    site: { canary: false },
    given: ({ fallback }) => fallback.seed('cloud-project/library/old', '1', { blobs: [1] }),
    paths: () => ['/v2/library/old/manifests/1'],
    status: 200,
    from: 'gcr',
    fallbackAsked: true,
  },
  {
    says: 'absent everywhere without a canary',
    site: { canary: false },
    paths: () => [NOWHERE],
    status: 404,
    code: 'BLOB_UNKNOWN',
    fallbackAsked: true,
  },
  {
    says: 'absent at the fallback, the primary failed',
    given: ({ primary }) => primary.faults.on('down'),
    paths: () => [NOWHERE],
    status: 503,
    code: 'UNAVAILABLE',
    reason: 'connect',
    fallbackAsked: true,
  },
  {
    says: 'both failed',
    given: ({ primary, fallback }) => Promise.all([primary.faults.on('errors'), fallback.faults.on('frozen')]),
    // The probes are rare, so that none of them ends the wait for the last upstream.
    site: { gcr: { deadlines: { ...QUICK, last: '1s' } } },
    status: 503,
    code: 'UNAVAILABLE',
    reason: 'status-5xx',
    fallbackAsked: true,
  },
  {
    says: '401 to the client’s own credentials',
    site: {
      primary: { auth: BASIC },
      harbor: { probe: PROBED, credentials: 'forward' },
      settings: { secrets: { harbor: { probePassword: 'right' } } },
    },
    headers: { authorization: `Basic ${Buffer.from('ann:wrong').toString('base64')}` },
    status: 401,
    from: 'harbor',
    code: 'UNAUTHORIZED',
    fallbackAsked: false,
  },
  {
    says: '403 to the client’s own credentials',
    site: {
      primary: { auth: BASIC },
      harbor: { probe: PROBED, credentials: 'forward' },
      settings: { secrets: { harbor: { probePassword: 'right' } } },
    },
    headers: ownCredentials,
    status: 403,
    from: 'harbor',
    code: 'DENIED',
    fallbackAsked: false,
  },
  {
    says: '400',
    given: ({ primary }) => primary.faults.on('errors', { status: 400 }),
    status: 400,
    from: 'harbor',
    fallbackAsked: false,
  },
  {
    says: '405',
    given: ({ primary }) => primary.faults.on('errors', { status: 405 }),
    status: 405,
    from: 'harbor',
    fallbackAsked: false,
  },
  {
    says: '416',
    headers: { range: 'bytes=300000-' },
    paths: ({ image }) => [blobOf(image)],
    status: 416,
    from: 'harbor',
    fallbackAsked: false,
  },
];
