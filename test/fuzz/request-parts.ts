import { METHODS } from 'node:http';
import type { Random } from './random.ts';

// What requests of both protocol versions are made of: mostly what the edge knows, and now and then what nobody sends.

export const ALL_METHODS: readonly string[] = [...METHODS, 'BREW', 'get', 'PRI', 'A'.repeat(40)];
const COMMON_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT'];

export function methodOf(random: Random): string {
  return random.pick(random.oneIn(3) ? ALL_METHODS : COMMON_METHODS);
}

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** What is good at the edge that is fuzzed. */
export interface Known {
  /** Of content that exists, of a session of an upload, and of tokens. */
  paths: readonly string[];
  /** Credentials that open something. */
  authorizations: readonly string[];
}

export function targetOf(random: Random, { paths }: Known): string {
  if (random.oneIn(2)) return random.pick(paths);
  const odd = random.pick(ODD_TARGETS);
  return random.oneIn(4) ? `${odd}?${random.pick(QUERIES)}` : odd;
}

/** Of all listeners. */
export const USUAL_TARGETS: readonly string[] = ['/v2/', '/v2/_catalog', '/', '/readyz', '/metrics', '/api/status'];

const ODD_TARGETS: readonly string[] = [
  '/',
  '/v2',
  '/v2/',
  '/v2//',
  '/v2/_catalog',
  '/v2/library/app/tags/list',
  '/v2/library/app/manifests/none',
  `/v2/library/app/manifests/${DIGEST}`,
  `/v2/library/app/blobs/${DIGEST}`,
  `/v2/library/app/referrers/${DIGEST}`,
  '/v2/library/app/blobs/uploads/',
  '/v2/library/app/blobs/uploads/session',
  '/v2/UPPER/manifests/1',
  '/v2/../v2/',
  '/v2/a%2fb/manifests/1',
  '/auth/token',
  '/auth/token/eyJhbGciOiJkaXIi.x.y.z.w',
  '/_breakwater/download/eyJhbGciOiJkaXIi.x.y.z.w',
  '/hooks/harbor',
  '/hooks/distribution',
  '/_breakwater/peer',
  '/api/v2.0/health',
  '/metrics',
  '/readyz',
  '/healthz',
  '/api/status',
  '/api/explain',
  '/api/coverage',
  '/api/accept',
  '/login',
  '/logout',
  '/page.css',
  '*',
  'x',
  '//',
  '/%',
  '/%00',
  '/\\',
  '/#x',
  '/\xff',
  'http://other.test/v2/',
  'other.test:443',
  `/${'a'.repeat(5_000)}`,
];
const QUERIES: readonly string[] = [
  'n=1&last=a',
  'ns=docker.io',
  'ns=',
  'image=library/app:1',
  `digest=${DIGEST}`,
  `mount=${DIGEST}&from=library/other`,
  'service=edge.test&scope=repository:library/app:pull',
  'service=edge.test&scope=repository:library/app:pull,push&scope=registry:catalog:*&offline_token=true',
  'service=other&scope=repository:A:pull',
  'scope=::::&scope=repository:x',
  'what=harbor',
  'what=library/app:1',
  'what=%00',
  'x=%ff%00',
  '?',
  '&&==',
];

export type Field = [name: string, value: string];

/** Header fields beside the host and those of a body. */
export function fieldsOf(random: Random, known: Known): Field[] {
  const usual = [...loginOf(random, known), ...random.some(USUAL_FIELDS, 8)];
  return random.oneIn(3) ? [...usual, random.pick(ODD_FIELDS)] : usual;
}

/** Good credentials, half of the time. */
export function loginOf(random: Random, { authorizations }: Known): Field[] {
  return authorizations.length > 0 && random.oneIn(2) ? [['authorization', random.pick(authorizations)]] : [];
}

/** Bodies that some endpoint understands, and some that none does. */
export const BODIES: readonly string[] = [
  '',
  '{}',
  'token=x',
  'token=the+admin+token+of+the+fuzz',
  '{"schemaVersion":2}',
  'grant_type=password&service=edge.test&username=ann&password=secret-of-ann&scope=repository:library/app:pull',
  'grant_type=password&service=edge.test&username=bob&password=wrong&access_type=offline',
  'grant_type=refresh_token&service=edge.test&refresh_token=x.y.z',
  'grant_type=%ff&username=%00',
  '{"type":"PUSH_ARTIFACT","event_data":{"repository":{"repo_full_name":"inner/library/app"},"resources":[{"tag":"1"}]}}',
  '{"type":"DELETE_ARTIFACT","event_data":{"repository":{"repo_full_name":"inner/library/none"},"resources":[{"tag":"1"}]}}',
  '{"events":[{"action":"push","target":{"repository":"inner/library/app","tag":"1"}},{"action":"x"}]}',
  '{"type":"PUSH_ARTIFACT","event_data":{"repository":{"repo_full_name":null},"resources":[null,{"tag":{}}]}}',
];

const USUAL_FIELDS: readonly Field[] = [
  ['accept', 'application/vnd.oci.image.index.v1+json'],
  ['accept', '*/*'],
  ['accept', 'text/html'],
  ['authorization', 'Basic dXNlcjpwYXNzd29yZA=='],
  ['authorization', 'Bearer x.y.z'],
  ['authorization', 'hook'],
  ['range', 'bytes=0-99'],
  ['range', 'bytes=99999999-'],
  ['range', 'bytes=0-1,5-9'],
  ['range', 'bytes=9-9,-3,0-0'],
  ['if-none-match', '*'],
  ['if-none-match', `"${DIGEST}"`],
  ['content-type', 'application/json'],
  ['content-type', 'application/x-www-form-urlencoded'],
  ['user-agent', 'fuzz'],
  ['expect', '100-continue'],
  ['x-forwarded-for', '203.0.113.7'],
];
const ODD_FIELDS: readonly Field[] = [
  ['expect', 'x'],
  ['expect', '100-Continue'],
  ['expect', ''],
  ['expect', '100-continue, x'],
  ['upgrade', 'x'],
  ['upgrade', 'h2c'],
  ['upgrade', 'websocket'],
  ['connection', 'Upgrade'],
  ['connection', 'close'],
  ['connection', 'keep-alive'],
  ['connection', 'host, content-length'],
  ['te', 'trailers'],
  ['te', 'gzip'],
  ['trailer', 'host'],
  ['host', 'other.test'],
  ['transfer-encoding', 'chunked'],
  ['transfer-encoding', 'gzip, chunked'],
  ['transfer-encoding', 'identity'],
  ['content-length', '0'],
  ['content-length', '5'],
  ['content-length', '-1'],
  ['content-length', '0, 0'],
  ['content-length', '99999999999999999999'],
  ['content-length', '1073741824'],
  ['content-length', 'x'],
  ['range', 'bytes=5-1'],
  ['range', `bytes=0-${',0-0'.repeat(1023)}`],
  ['range', `bytes=${Array.from({ length: 1024 }, (_, index) => `${2 * index}-${2 * index}`)}`],
  ['range', `bytes=${','.repeat(2000)}-5,0-`],
  ['range', 'x'],
  ['authorization', 'Basic %%%'],
  ['authorization', ''],
  ['proxy-authorization', 'Basic eA=='],
  ['keep-alive', 'timeout=0'],
  ['http2-settings', 'AAEAAEAAAAIAAAAA'],
  ['cookie', 'breakwater_admin=x'],
  ['sec-fetch-site', 'same-origin'],
  ['origin', 'https://evil.test'],
  ['x-forwarded-for', 'x, , ::, 999.1.1.1'],
  ['x', 'y'.repeat(9_000)],
  ['x', '\xe9\xff'],
  ['x y', 'z'],
  ['', 'z'],
];
