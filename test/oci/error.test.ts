import t from 'tap';
import { ERROR_CATALOG, type ErrorCode, NoReferrersApi, OciError } from '../../src/oci/error.ts';

/** distribution-spec v1.1.1 "Error Codes", and the three of distribution. */
const STATUS: Record<ErrorCode, number> = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 413,
  TAG_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  RANGE_INVALID: 416,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
};

t.test('every code has its status, and a body as the specification wants it', async (t) => {
  t.strictSame(Object.keys(ERROR_CATALOG).sort(), Object.keys(STATUS).sort());
  for (const [code, status] of Object.entries(STATUS) as [ErrorCode, number][]) {
    const error = new OciError(code);
    t.equal(error.status, status, code);
    t.equal(error.name, 'OciError', 'as logs call it');
    const { message } = ERROR_CATALOG[code];
    t.match(message, /^[\x20-\x7e]{5,100}$/, `${code}: printable and short`);
    t.strictSame(JSON.parse(error.body()), { errors: [{ code, message, detail: {} }] });
    t.strictSame(error.headers, code === 'UNAVAILABLE' ? { 'retry-after': '5' } : {});
  }
});

t.test('a server error names the request', async (t) => {
  const messageOf = (body: string) => JSON.parse(body).errors[0].message;
  t.equal(messageOf(new OciError('UNAVAILABLE', 'try again').body('abc1')), 'try again (request abc1)');
  t.equal(messageOf(new OciError('UNKNOWN').body('abc1')), 'unknown error (request abc1)');
  t.equal(messageOf(new OciError('UNAVAILABLE', 'try again').body()), 'try again');
  for (const code of ['MANIFEST_UNKNOWN', 'DENIED', 'TOOMANYREQUESTS'] as const)
    t.equal(messageOf(new OciError(code, 'no').body('abc1')), 'no', code);
});

t.test('what a message may hold survives the way', async (t) => {
  const message = 'a "quoted" \\ line\nand é \u2028';
  t.equal(JSON.parse(new OciError('DENIED', message).body()).errors[0].message, message);
});

t.test('status, headers and Retry-After', async (t) => {
  const given = { allow: 'GET' };
  const error = new OciError('UNAVAILABLE', undefined, { status: 502, retryAfter: 0, headers: given });
  t.equal(error.status, 502);
  t.equal(error.message, ERROR_CATALOG.UNAVAILABLE.message);
  t.strictSame(error.headers, { allow: 'GET', 'retry-after': '0' });
  t.strictSame(given, { allow: 'GET' }, 'the headers given stay as they were');
});

t.test('a registry without the referrers API', async (t) => {
  const error = new NoReferrersApi();
  t.equal(error.status, 404);
  // To NAME_UNKNOWN, oras says that there is no such repository, and does not look for the tag.
  t.equal(JSON.parse(error.body()).errors[0].code, 'MANIFEST_UNKNOWN');
});
