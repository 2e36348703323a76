import fc from 'fast-check';
import t from 'tap';
import { OciError } from '../../src/oci/error.ts';
import { isRepository } from '../../src/oci/reference.ts';
import { parseRequest, type RegistryRequest } from '../../src/oci/request.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const D256 = `sha256:${'a'.repeat(64)}`;
const D512 = `sha512:${'0'.repeat(128)}`;

function parse(method: string, path: string): RegistryRequest {
  return parseRequest(method, path, new URLSearchParams());
}

/** The part of the result that depends on the path, or the code of the error. */
function told(method: string, path: string): unknown {
  try {
    const { method: _, query: __, ...rest } = parse(method, path);
    return rest;
  } catch (error) {
    if (error instanceof OciError) return error.code;
    throw error;
  }
}

t.test('every endpoint with every method', async (t) => {
  const endpoints: [string, string, string[]][] = [
    ['/v2/', 'ping', ['GET', 'HEAD']],
    ['/v2', 'ping', ['GET', 'HEAD']],
    ['/v2/_catalog', 'catalog', ['GET', 'HEAD']],
    ['/v2/library/app/manifests/latest', 'manifest', ['GET', 'HEAD', 'PUT', 'DELETE']],
    [`/v2/library/app/manifests/${D256}`, 'manifest', ['GET', 'HEAD', 'PUT', 'DELETE']],
    [`/v2/library/app/blobs/${D256}`, 'blob', ['GET', 'HEAD', 'DELETE']],
    ['/v2/library/app/blobs/uploads/', 'upload-start', ['POST']],
    ['/v2/library/app/blobs/uploads', 'upload-start', ['POST']],
    ['/v2/library/app/blobs/uploads/f1-_=~.x', 'upload', ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']],
    ['/v2/library/app/tags/list', 'tags', ['GET', 'HEAD']],
    [`/v2/library/app/referrers/${D256}`, 'referrers', ['GET', 'HEAD']],
  ];
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND', 'get'];
  for (const [path, kind, allowed] of endpoints) {
    for (const method of methods) {
      const name = `${method} ${path}`;
      if (allowed.includes(method) || (method === 'OPTIONS' && kind !== 'upload')) {
        t.match(parse(method, path), { kind, method }, name);
        continue;
      }
      const error = t.throws(() => parse(method, path), { code: 'UNSUPPORTED', status: 405 }, name) as OciError;
      t.equal(error.headers.allow, allowed.join(', '), `${name}: Allow`);
    }
  }
});

t.test('reads repositories from the right', async (t) => {
  const manifest = (repository: string, reference: string) => ({ kind: 'manifest', repository, reference });
  const rows: [string, string, unknown][] = [
    ['GET', '/v2/blobs/manifests/latest', manifest('blobs', 'latest')],
    ['GET', '/v2/manifests/manifests/manifests', manifest('manifests', 'manifests')],
    ['GET', '/v2/a/manifests/b/manifests/c', manifest('a/manifests/b', 'c')],
    ['GET', '/v2/a/blobs/uploads/manifests/x', manifest('a/blobs/uploads', 'x')],
    ['GET', '/v2/a/manifests/uploads', manifest('a', 'uploads')],
    ['GET', '/v2/a/manifests/list', manifest('a', 'list')],
    ['GET', '/v2/a/tags/manifests/list', manifest('a/tags', 'list')],
    ['GET', '/v2/tags/tags/list', { kind: 'tags', repository: 'tags' }],
    ['GET', '/v2/a/tags/list/tags/list', { kind: 'tags', repository: 'a/tags/list' }],
    ['GET', '/v2/a/blobs/uploads/tags/list', { kind: 'tags', repository: 'a/blobs/uploads' }],
    ['GET', `/v2/blobs/blobs/${D256}`, { kind: 'blob', repository: 'blobs', digest: D256 }],
    ['GET', `/v2/a/blobs/uploads/blobs/${D256}`, { kind: 'blob', repository: 'a/blobs/uploads', digest: D256 }],
    ['GET', `/v2/a/referrers/referrers/${D256}`, { kind: 'referrers', repository: 'a/referrers', digest: D256 }],
    ['POST', '/v2/blobs/uploads/blobs/uploads/', { kind: 'upload-start', repository: 'blobs/uploads' }],
    ['POST', '/v2/a/manifests/blobs/uploads/', { kind: 'upload-start', repository: 'a/manifests' }],
    ['PUT', '/v2/a/blobs/uploads/list', { kind: 'upload', repository: 'a', session: 'list' }],
    ['PUT', '/v2/a/blobs/uploads/blobs/uploads/s', { kind: 'upload', repository: 'a/blobs/uploads', session: 's' }],
    ['POST', '/v2/a/blobs/uploads', { kind: 'upload-start', repository: 'a' }],
    ['GET', '/v2/a/_catalog', 'NAME_UNKNOWN'],
  ];
  for (const [method, path, expected] of rows) t.strictSame(told(method, path), expected, `${method} ${path}`);
});

t.test('names, tags and digests', async (t) => {
  const rows: [string, string, unknown][] = [
    ['GET', '/v2/Library/app/manifests/latest', 'NAME_INVALID'],
    ['GET', '/v2/library/app_/manifests/latest', 'NAME_INVALID'],
    ['GET', '/v2/library/a___b/manifests/latest', 'NAME_INVALID'],
    ['GET', '/v2/library/a..b/manifests/latest', 'NAME_INVALID'],
    ['GET', `/v2/${'a'.repeat(256)}/manifests/latest`, 'NAME_INVALID'],
    [
      'GET',
      `/v2/${'a'.repeat(255)}/manifests/latest`,
      { kind: 'manifest', repository: 'a'.repeat(255), reference: 'latest' },
    ],
    ['GET', `/v2/a/manifests/${'t'.repeat(128)}`, { kind: 'manifest', repository: 'a', reference: 't'.repeat(128) }],
    ['GET', '/v2/a/manifests/UPPER_case.1-2', { kind: 'manifest', repository: 'a', reference: 'UPPER_case.1-2' }],
    // What is no tag names no manifest that could be read; writing it is a mistake.
    ['GET', `/v2/a/manifests/${'t'.repeat(129)}`, 'MANIFEST_UNKNOWN'],
    ['PUT', `/v2/a/manifests/${'t'.repeat(129)}`, 'TAG_INVALID'],
    ['HEAD', '/v2/a/manifests/.hidden', 'MANIFEST_UNKNOWN'],
    ['DELETE', '/v2/a/manifests/-dash', 'TAG_INVALID'],
    ['GET', '/v2/a/manifests/', 'MANIFEST_UNKNOWN'],
    ['GET', '/v2/a/manifests/sha256:abc', 'DIGEST_INVALID'],
    ['GET', `/v2/a/manifests/sha256:${'A'.repeat(64)}`, 'DIGEST_INVALID'],
    ['GET', `/v2/a/manifests/${D512}`, { kind: 'manifest', repository: 'a', reference: D512 }],
    ['GET', '/v2/a/blobs/latest', 'DIGEST_INVALID'],
    ['GET', '/v2/a/blobs/', 'DIGEST_INVALID'],
    ['GET', `/v2/a/blobs/SHA256:${'a'.repeat(64)}`, 'DIGEST_INVALID'],
    ['GET', `/v2/a/blobs/sha512:${'a'.repeat(64)}`, 'DIGEST_INVALID'],
    ['GET', `/v2/a/blobs/${D512}`, { kind: 'blob', repository: 'a', digest: D512 }],
    ['GET', '/v2/a/blobs/blake3+b64u:Xy_-=9', { kind: 'blob', repository: 'a', digest: 'blake3+b64u:Xy_-=9' }],
    // Names that every object has are algorithms like any other.
    ['GET', '/v2/a/blobs/constructor:abc', { kind: 'blob', repository: 'a', digest: 'constructor:abc' }],
    ['GET', `/v2/a/blobs/x:${'a'.repeat(300)}`, 'DIGEST_INVALID'],
    ['GET', '/v2/a/referrers/latest', 'DIGEST_INVALID'],
    ['GET', '/v2/manifests/latest', 'NAME_INVALID'],
    ['GET', `/v2/blobs/${D256}`, 'NAME_INVALID'],
    ['POST', '/v2/blobs/uploads/', 'NAME_INVALID'],
    ['GET', '/v2/tags/list', 'NAME_INVALID'],
  ];
  for (const [method, path, expected] of rows) t.strictSame(told(method, path), expected, `${method} ${path}`);
});

t.test('what is no path of the API', async (t) => {
  const rows: [string, string][] = [
    ['', 'NAME_UNKNOWN'],
    ['/', 'NAME_UNKNOWN'],
    ['/v1/a/manifests/latest', 'NAME_UNKNOWN'],
    ['/V2/a/manifests/latest', 'NAME_UNKNOWN'],
    ['xxxxa/manifests/latest', 'NAME_UNKNOWN'],
    ['/v2x/a/manifests/latest', 'NAME_UNKNOWN'],
    ['/v2//', 'NAME_UNKNOWN'],
    ['/v2/_catalog/', 'NAME_UNKNOWN'],
    ['/v2/a', 'NAME_UNKNOWN'],
    ['/v2/a/tags', 'NAME_UNKNOWN'],
    ['/v2/a/tags/list/', 'NAME_UNKNOWN'],
    ['/v2/a/tags/latest', 'NAME_UNKNOWN'],
    ['/v2/a/uploads/s', 'NAME_UNKNOWN'],
    ['/v2/a/manifests/latest/', 'NAME_UNKNOWN'],
    [`/v2/a/blobs/${D256}/`, 'NAME_UNKNOWN'],
    ['/v2/a/blobs/uploads//', 'NAME_UNKNOWN'],
    ['/v2/a/blobs/uploads/s/', 'NAME_UNKNOWN'],
    ['/v2//a/manifests/latest', 'NAME_INVALID'],
    ['/v2/a//manifests/latest', 'NAME_INVALID'],
    ['/v2/a//b/manifests/latest', 'NAME_INVALID'],
    ['/v2/../a/manifests/latest', 'NAME_INVALID'],
    ['/v2/a/../b/manifests/latest', 'NAME_INVALID'],
    ['/v2/./a/manifests/latest', 'NAME_INVALID'],
    ['/v2/a/manifests/..', 'MANIFEST_UNKNOWN'],
    ['/v2/a/manifests/.', 'MANIFEST_UNKNOWN'],
    ['/v2/a/manifests/%2e%2e', 'MANIFEST_UNKNOWN'],
    ['/v2%2Fa/manifests/latest', 'NAME_UNKNOWN'],
    ['/v2/a%2F..%2Fb/manifests/latest', 'NAME_INVALID'],
    ['/v2/a%2F%2Fb/manifests/latest', 'NAME_INVALID'],
    ['/v2/%2Fa/manifests/latest', 'NAME_INVALID'],
    ['/v2/a%252Fb/manifests/latest', 'NAME_INVALID'],
    ['/v2/a%25/manifests/latest', 'NAME_INVALID'],
    ['/v2/%61/manifests/latest', 'NAME_INVALID'],
    ['/v2/a/manifests/%253A', 'MANIFEST_UNKNOWN'],
    ['/v2/a%00/manifests/latest', 'NAME_INVALID'],
    ['/v2/a\0/manifests/latest', 'NAME_INVALID'],
    ['/v2/a\n/manifests/latest', 'NAME_INVALID'],
    ['/v2/a/manifests/latest\n', 'MANIFEST_UNKNOWN'],
    ['/v2/é/manifests/latest', 'NAME_INVALID'],
    [`/v2/a/blobs/sha256%253A${'a'.repeat(64)}`, 'DIGEST_INVALID'],
    [`/v2/a/blobs/${D256}\n`, 'DIGEST_INVALID'],
    ['/v2/a/blobs/uploads/..', 'BLOB_UPLOAD_UNKNOWN'],
    ['/v2/a/blobs/uploads/.', 'BLOB_UPLOAD_UNKNOWN'],
    ['/v2/a/blobs/uploads/%2e%2e', 'BLOB_UPLOAD_UNKNOWN'],
    ['/v2/a/blobs/uploads/a b', 'BLOB_UPLOAD_UNKNOWN'],
    ['/v2/a/blobs/uploads/a%2Fb', 'NAME_UNKNOWN'],
    [`/v2/a/blobs/uploads/${'s'.repeat(12_289)}`, 'BLOB_UPLOAD_UNKNOWN'],
  ];
  for (const [path, code] of rows) t.equal(told('GET', path), code, JSON.stringify(path).slice(0, 80));
  t.match(told('GET', '/v2/a/blobs/uploads/...'), { kind: 'upload', session: '...' }, 'three dots are no way up');
  t.match(told('GET', `/v2/a/blobs/uploads/${'s'.repeat(12_288)}`), { kind: 'upload' }, 'the longest session');
});

t.test('encoded slashes and colons are what they stand for', async (t) => {
  const rows: [path: string, same: string][] = [
    ['/v2/a%2Fb/manifests/latest', '/v2/a/b/manifests/latest'],
    ['/v2/a%2fb%2Fc/tags/list', '/v2/a/b/c/tags/list'],
    ['/v2/a/manifests%2Flatest', '/v2/a/manifests/latest'],
    [`/v2/a/blobs/sha256%3A${'a'.repeat(64)}`, `/v2/a/blobs/${D256}`],
    [`/v2/a/referrers/sha256%3a${'a'.repeat(64)}`, `/v2/a/referrers/${D256}`],
  ];
  for (const [path, same] of rows) t.strictSame(told('GET', path), told('GET', same), path);
});

t.test('the message of an error repeats a method only as far as it is printable and short', async (t) => {
  const error = t.throws(() => parse(`G\u0000\u001b[31m${'X'.repeat(100)}`, '/v2/'), {
    code: 'UNSUPPORTED',
  }) as OciError;
  t.equal(error.message, `G??[31m${'X'.repeat(25)} is not supported here`);
});

t.test('messages', async (t) => {
  const rows: [string, string, string][] = [
    ['GET', '/v2/a', 'no such endpoint of the registry API'],
    ['GET', '/v1/a', 'no such endpoint of the registry API'],
    ['GET', '/v2/a/manifests/-', 'invalid reference; expected a tag of at most 128 characters, or a digest'],
    ['PUT', '/v2/a/manifests/-', 'invalid reference; expected a tag of at most 128 characters, or a digest'],
  ];
  for (const [method, path, message] of rows) t.throws(() => parse(method, path), { message }, `${method} ${path}`);
});

t.test('the query stays as it came', async (t) => {
  const query = new URLSearchParams('n=5&last=a&last=b');
  t.equal(parseRequest('GET', '/v2/a/tags/list', query).query, query);
});

const component = fc.stringMatching(/^[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}$/);
const word = fc.constantFrom('blobs', 'manifests', 'tags', 'uploads', 'list', 'referrers', 'v2');
const repository = fc
  .array(fc.oneof(component, word), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('/'))
  .filter(isRepository);

t.test('property: whatever the repository is called, it comes out as it went in', async () => {
  const tag = fc.oneof(word, fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}$/));
  fc.assert(
    fc.property(repository, tag, (name, reference) => {
      const same = (path: string, method = 'GET') => parse(method, path);
      const manifest = same(`/v2/${name}/manifests/${reference}`);
      const blob = same(`/v2/${name}/blobs/${D256}`);
      const start = same(`/v2/${name}/blobs/uploads/`, 'POST');
      const upload = same(`/v2/${name}/blobs/uploads/${reference}`, 'PUT');
      const tags = same(`/v2/${name}/tags/list`);
      for (const one of [manifest, blob, start, upload, tags]) {
        if (!('repository' in one) || one.repository !== name) return false;
      }
      return manifest.kind === 'manifest' && manifest.reference === reference && upload.kind === 'upload';
    }),
  );
});

t.test(
  'property: any path at all is an endpoint or an OciError, and what is accepted is within the grammar',
  async () => {
    const piece = fc.oneof(
      word,
      component,
      fc.constantFrom('..', '.', '', '%2F', '%00', '\0', 'A', '?', '#', '\\', ':', D256),
      fc.string(),
    );
    const path = fc.array(piece, { maxLength: 8 }).map((parts) => `/v2/${parts.join('/')}`);
    fc.assert(
      fc.property(
        fc.oneof(path, fc.string()),
        fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'PATCH'),
        (text, method) => {
          try {
            const request = parse(method, text);
            return !('repository' in request) || isRepository(request.repository);
          } catch (error) {
            return error instanceof OciError && error.status >= 400 && error.status < 500;
          }
        },
      ),
      { numRuns: propertyRuns(2000) },
    );
  },
);
