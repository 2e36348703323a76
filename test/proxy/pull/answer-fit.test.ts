import t from 'tap';
import { MANIFEST_TYPE, sha256 } from '../../helpers/lab-site.ts';
import {
  type Answer,
  asksFirst,
  BLOB,
  BY_DIGEST,
  CONTENT,
  lineFor,
  MANIFEST,
  type PacedOptions,
  serveRight,
  startPacedSite,
} from './paced-upstream.ts';

// Good statuses with something else than what was asked for: each is a failure, and the next upstream is asked.

const BY_TAG = '/v2/app/manifests/1';
const TAGS = '/v2/app/tags/list';
const REFERRERS = `/v2/app/referrers/${sha256(MANIFEST)}`;
const DIGEST = sha256(MANIFEST);
const OTHER = Buffer.from('{"schemaVersion":2}');
const PAGE = Buffer.from('<html><body>Sign in to the network</body></html>');
const ERROR = Buffer.from('{"errors":[{"code":"UNKNOWN","message":"maintenance","detail":{}}]}');
const UNBROKEN: PacedOptions = {
  all: { breaker: { consecutive: 1000, volume: 1000 }, hedge: { share: 0 } },
};

/** Answers with these bytes, to a HEAD without them. */
const says =
  (status: number, bytes: Buffer, headers: Record<string, string> = {}): Answer =>
  (req, res) => {
    const length = status === 204 ? {} : { 'content-length': bytes.length };
    res.writeHead(status, { ...length, ...headers });
    res.end(req.method === 'HEAD' || status === 204 ? undefined : bytes);
  };
const manifest = { 'content-type': MANIFEST_TYPE };
const page = { 'content-type': 'text/html; charset=utf-8' };
const list = { 'content-type': 'application/json' };
const octets = { 'content-type': 'application/octet-stream' };

interface Row {
  says: string;
  answer: Answer;
  paths: string[];
  methods?: string[];
  headers?: Record<string, string>;
  reason: 'malformed' | 'digest';
}

const both = [BY_TAG, BY_DIGEST];
const ROWS: Row[] = [
  ...[201, 202, 203, 204].map(
    (status): Row => ({
      says: `${status}`,
      answer: says(status, MANIFEST, manifest),
      paths: [...both, BLOB],
      methods: ['GET', 'HEAD'],
      reason: 'malformed',
    }),
  ),
  {
    says: '206 without a Range',
    answer: says(206, MANIFEST, { ...manifest, 'content-range': `bytes 0-${MANIFEST.length - 1}/${MANIFEST.length}` }),
    paths: [...both, BLOB],
    reason: 'malformed',
  },
  {
    says: '206 to a manifest, whose Range is never sent',
    answer: says(206, MANIFEST, { ...manifest, 'content-range': `bytes 0-${MANIFEST.length - 1}/${MANIFEST.length}` }),
    headers: { range: 'bytes=0-' },
    paths: both,
    reason: 'malformed',
  },
  {
    says: '206 with another range',
    answer: says(206, CONTENT.subarray(0, 10), { ...octets, 'content-range': `bytes 0-9/${CONTENT.length}` }),
    headers: { range: 'bytes=10-19' },
    paths: [BLOB],
    methods: ['GET', 'HEAD'],
    reason: 'malformed',
  },
  {
    says: '206 that does not tell its range',
    answer: says(206, CONTENT.subarray(10, 20), octets),
    headers: { range: 'bytes=10-19' },
    paths: [BLOB],
    reason: 'malformed',
  },
  { says: '304 without a condition', answer: says(304, MANIFEST, manifest), paths: both, reason: 'malformed' },
  {
    says: 'a captive portal',
    answer: says(200, PAGE, page),
    paths: [...both, BLOB, TAGS, REFERRERS],
    methods: ['GET', 'HEAD'],
    reason: 'malformed',
  },
  {
    says: 'a captive portal that does not say so',
    answer: says(200, PAGE),
    paths: [BY_TAG, TAGS, REFERRERS],
    reason: 'malformed',
  },
  {
    says: 'a manifest under another type',
    answer: says(200, MANIFEST, { 'content-type': 'image/png' }),
    paths: both,
    reason: 'malformed',
  },
  { says: 'an error', answer: says(200, ERROR, list), paths: [BY_TAG, TAGS, REFERRERS], reason: 'malformed' },
  { says: 'an error as a manifest', answer: says(200, ERROR, manifest), paths: [BY_TAG], reason: 'malformed' },
  {
    says: 'JSON that is no manifest',
    answer: says(200, Buffer.from('{}'), manifest),
    paths: [BY_TAG],
    reason: 'malformed',
  },
  { says: 'nothing', answer: says(200, Buffer.alloc(0), manifest), paths: [BY_TAG], reason: 'malformed' },
  {
    says: 'nothing for a digest',
    answer: says(200, Buffer.alloc(0), octets),
    paths: [BY_DIGEST, BLOB],
    reason: 'digest',
  },
  {
    says: 'another manifest',
    answer: says(200, OTHER, { ...manifest, 'docker-content-digest': sha256(OTHER) }),
    paths: [BY_DIGEST],
    methods: ['GET', 'HEAD'],
    reason: 'digest',
  },
  {
    says: 'a digest that is wrong',
    answer: says(200, MANIFEST, { ...manifest, 'docker-content-digest': sha256(OTHER) }),
    paths: both,
    reason: 'digest',
  },
  {
    says: 'a digest that is none',
    answer: says(200, MANIFEST, { ...manifest, 'docker-content-digest': 'sha256:abc' }),
    paths: [...both, BLOB],
    methods: ['GET', 'HEAD'],
    reason: 'digest',
  },
  {
    says: 'a blob under another digest',
    answer: says(200, CONTENT, { ...octets, 'docker-content-digest': DIGEST }),
    paths: [BLOB],
    methods: ['GET', 'HEAD'],
    reason: 'digest',
  },
];

/** What a fallback has. */
const serveAll: Answer = (req, res) => {
  if (req.url?.includes('/tags/')) return says(200, Buffer.from('{"name":"app","tags":["1"]}'), list)(req, res);
  if (req.url?.includes('/referrers/'))
    return says(200, Buffer.from('{"schemaVersion":2,"manifests":[{}]}'), list)(req, res);
  return serveRight(req, res);
};

for (const { says, answer, paths, methods = ['GET'], headers = {}, reason } of ROWS) {
  t.test(`200 is not enough: ${says}`, async (t) => {
    const site = await startPacedSite(t, UNBROKEN);
    site.gcr.answer = serveAll;
    // While it is not known that the primary lists referrers, no other upstream does.
    site.harbor.answer = serveAll;
    await site.edge.http1().ask(REFERRERS);
    for (const path of paths) {
      for (const method of methods) {
        // HEADs of blobs are answered by the push upstream alone.
        if (method === 'HEAD' && path === BLOB) continue;
        await asksFirst(site);
        site.harbor.answer = answer;
        const reply = await site.edge.http1().ask(path, { method, headers });
        const name = `${method} ${path.slice(0, 30)}`;
        t.match(reply, { complete: true, headers: { 'x-breakwater-upstream': 'gcr' } }, name);
        t.ok(reply.status === 200 || (headers.range && reply.status === 206), `${name}: ${reply.status}`);
        const { attempts } = await lineFor(site.edge, reply);
        t.match(attempts[0], { upstream: 'harbor', outcome: 'failed', reason }, name);
        site.harbor.answer = serveRight;
      }
    }
  });
}

t.test('what does not fit anywhere is no answer', async (t) => {
  const site = await startPacedSite(t, UNBROKEN);
  for (const upstream of [site.harbor, site.gcr, site.quay]) upstream.answer = says(200, PAGE, page);
  for (const path of [BY_TAG, BY_DIGEST, BLOB, TAGS, REFERRERS]) {
    const reply = await site.edge.http1().ask(path);
    t.match(reply, { status: 503, headers: { 'retry-after': '5' } }, path);
    t.notMatch(reply.body.toString(), /<html>/);
  }
  t.match(await site.edge.http1().ask(BLOB, { method: 'HEAD' }), { status: 503 }, 'HEAD of a blob');
});

t.test('what fits, though it looks odd', async (t) => {
  const site = await startPacedSite(t, UNBROKEN);
  const client = site.edge.http1();
  const served = async (name: string, path: string, answer: Answer, headers = {}) => {
    site.harbor.answer = answer;
    const reply = await client.ask(path, { headers });
    t.match(reply, { headers: { 'x-breakwater-upstream': 'harbor' } }, name);
    return reply;
  };
  await served('a generic type', BY_TAG, says(200, MANIFEST, list));
  await served('no type', BY_DIGEST, says(200, MANIFEST));
  await served(
    'a digest of another algorithm',
    BY_DIGEST,
    says(200, MANIFEST, { ...manifest, 'docker-content-digest': `blake3:${'a'.repeat(64)}` }),
  );
  const range = `bytes 10-19/${CONTENT.length}`;
  await served('a part', BLOB, says(206, CONTENT.subarray(10, 20), { ...octets, 'content-range': range }), {
    range: 'bytes=10-19',
  });
  await served('a whole blob to a Range', BLOB, says(200, CONTENT, octets), { range: 'bytes=10-19' });
  await served('a list without tags', TAGS, says(200, Buffer.from('{"name":"app","tags":null}'), list));
  const same = await served('304 to a condition', BY_TAG, says(304, MANIFEST, { etag: '"x"' }), {
    'if-none-match': '"x"',
  });
  t.equal(same.status, 304);
});
