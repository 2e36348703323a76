import fc from 'fast-check';
import t from 'tap';
import { HeadBuffer } from '../../../src/upstream/reader/head-buffer.ts';
import { parseResponseHead } from '../../../src/upstream/reader/response-head.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';
import { propertyRuns } from '../../helpers/property-runs.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const MALFORMED = { name: 'UpstreamError', message: /malformed|not HTTP|longer than|line feeds/ };

const head = (...lines: string[]) => parseResponseHead(lines.join('\r\n'));

t.test('heads that are read', async (t) => {
  const rows: [string[], { status: number; length: number | undefined; persistent: boolean; keepAliveMs?: number }][] =
    [
      [['HTTP/1.1 200 OK', 'Content-Length: 5'], { status: 200, length: 5, persistent: true }],
      [['HTTP/1.1 200', 'content-length:5'], { status: 200, length: 5, persistent: true }],
      [['HTTP/1.1 200 ', 'CONTENT-LENGTH: \t 5 \t'], { status: 200, length: 5, persistent: true }],
      [['HTTP/1.0 200 OK', 'Content-Length: 5'], { status: 200, length: 5, persistent: false }],
      [['HTTP/1.1 206 Partial Content', 'Content-Length: 0'], { status: 206, length: 0, persistent: true }],
      [
        ['HTTP/1.1 200 OK', 'Connection: foo, Close', 'Content-Length: 1'],
        { status: 200, length: 1, persistent: false },
      ],
      [
        ['HTTP/1.1 200 OK', 'Connection: foo', 'Connection: close', 'Content-Length: 1'],
        { status: 200, length: 1, persistent: false },
      ],
      [['HTTP/1.1 200 OK', 'Connection: closed'], { status: 200, length: undefined, persistent: true }],
      [['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'], { status: 200, length: undefined, persistent: true }],
      [['HTTP/1.1 304 Not Modified', 'Content-Length: 512'], { status: 304, length: 0, persistent: true }],
      [['HTTP/1.1 204 No Content'], { status: 204, length: 0, persistent: true }],
      [['HTTP/1.1 200 OK', 'Content-Length: 7', 'Content-Length: 7'], { status: 200, length: 7, persistent: true }],
      [
        ['HTTP/1.1 200 OK', 'Content-Length: 1', 'Keep-Alive: timeout=5, max=100'],
        { status: 200, length: 1, persistent: true, keepAliveMs: 5000 },
      ],
      [
        ['HTTP/1.1 200 OK', 'Content-Length: 1', 'Keep-Alive: max=100,timeout=15'],
        { status: 200, length: 1, persistent: true, keepAliveMs: 15_000 },
      ],
    ];
  for (const [lines, { keepAliveMs, ...wanted }] of rows) {
    const { headers: _, ...found } = head(...lines);
    t.strictSame(found, { ...wanted, keepAliveMs }, lines.join(' | '));
  }
});

t.test('fields as they came, and a length only once', async (t) => {
  const { headers } = head(
    'HTTP/1.1 200 OK',
    'Docker-Content-Digest: sha256:abc',
    'X-Empty:',
    'X-Latin: caf\xe9',
    'X-Colon: a: b',
    'Content-Length: 7',
    'content-length: 7',
    'Set-Cookie: a',
    'Set-Cookie: b',
  );
  t.strictSame(
    [...headers],
    [
      ['docker-content-digest', 'sha256:abc'],
      ['x-empty', ''],
      ['x-latin', 'caf\xe9'],
      ['x-colon', 'a: b'],
      ['content-length', '7'],
      ['set-cookie', 'a'],
      ['set-cookie', 'b'],
    ],
  );
});

t.test('heads that are refused', async (t) => {
  const ok = 'HTTP/1.1 200 OK';
  const rows: [string, string[]][] = [
    ['no status line', ['']],
    ['another protocol', ['ICY 200 OK']],
    ['HTTP/2', ['HTTP/2 200 OK']],
    ['a small h', ['http/1.1 200 OK']],
    ['two digits', ['HTTP/1.1 20 OK']],
    ['four digits', ['HTTP/1.1 2000 OK']],
    ['a status beyond 599', ['HTTP/1.1 600 OK']],
    ['a status of zeros', ['HTTP/1.1 000 OK']],
    ['two spaces', ['HTTP/1.1  200 OK']],
    ['no space before the reason', ['HTTP/1.1 200OK']],
    ['a control character in the reason', ['HTTP/1.1 200 O\x00K']],
    ['a bare line feed', [`${ok}\nContent-Length: 5`]],
    ['a bare carriage return', [ok, 'X: a\rb']],
    ['a folded line', [ok, 'X: a', ' b']],
    ['a space before the colon', [ok, 'Content-Length : 5']],
    ['no colon', [ok, 'Content-Length']],
    ['no name', [ok, ': 5']],
    ['a name that is no token', [ok, 'X(y): 5']],
    ['a control character in a value', [ok, 'X: a\x01b']],
    ['a DEL in a value', [ok, 'X: a\x7fb']],
    ['an empty line within', [ok, '', 'X: a']],
    ['an empty length', [ok, 'Content-Length:']],
    ['a signed length', [ok, 'Content-Length: +5']],
    ['a negative length', [ok, 'Content-Length: -5']],
    ['a length in hex', [ok, 'Content-Length: 0x5']],
    ['a list of lengths', [ok, 'Content-Length: 5, 5']],
    ['a length with spaces', [ok, 'Content-Length: 5 5']],
    ['a length that is no safe integer', [ok, 'Content-Length: 9999999999999999']],
    ['two lengths', [ok, 'Content-Length: 5', 'Content-Length: 6']],
    ['two spellings of one length', [ok, 'Content-Length: 5', 'Content-Length: 05']],
    ['length and encoding', [ok, 'Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['encoding and length', [ok, 'Transfer-Encoding: identity', 'Content-Length: 5']],
    ['an encoding in HTTP/1.0', ['HTTP/1.0 200 OK', 'Transfer-Encoding: chunked']],
    ['too many fields', [ok, ...Array.from({ length: 257 }, (_, index) => `X-${index}: a`)]],
  ];
  for (const [what, lines] of rows) t.throws(() => head(...lines), MALFORMED, what);
  t.doesNotThrow(() => head(ok, ...Array.from({ length: 256 }, (_, index) => `X-${index}: a`)), 'as many as may be');
});

t.test('a long value costs no more than its length', async (t) => {
  const started = performance.now();
  t.throws(() => head('HTTP/1.1 200 OK', `X: ${'a '.repeat(30_000)}\x00`), MALFORMED);
  t.throws(() => head('HTTP/1.1 200 OK', `X: ${' \t'.repeat(30_000)}\x00`), MALFORMED);
  t.ok(performance.now() - started < timeLimit(2000), 'no catastrophe of backtracking');
});

/** What the gatherer says to bytes that come in these pieces. */
function gather(bytes: Buffer, sizes: readonly number[]): { text: string; rest: string } | undefined {
  const gatherer = new HeadBuffer(Buffer.alloc(16_384));
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const { target } = gatherer;
    const piece = bytes.subarray(at, at + Math.min(sizes[turn % sizes.length] ?? 1, target.length));
    piece.copy(target);
    at += piece.length;
    const found = gatherer.add(piece.length);
    if (found) return { text: found.text, rest: found.rest.toString('latin1') + bytes.toString('latin1', at) };
  }
  return undefined;
}

const pieces = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 6 });

t.test('a head is the same however it is cut', async () => {
  const value = fc.string({ maxLength: 300 }).map((text) => text.replace(/[^\x21-\x7e]/g, ''));
  const length = fc.integer({ min: 0, max: 60_000 });
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 20 }),
      length,
      fc.string({ maxLength: 50 }),
      pieces,
      (values, pad, body, cut) => {
        const lines = [
          'HTTP/1.1 200 OK',
          `x-pad: ${'p'.repeat(pad)}`,
          ...values.map((one, index) => `x-${index}: ${one}`),
        ];
        const text = lines.join('\r\n');
        if (text.length > 65_000) return;
        const rest = Buffer.from(body).toString('latin1');
        const found = gather(Buffer.from(`${text}\r\n\r\n${rest}`, 'latin1'), cut);
        if (found?.text !== text || found.rest !== rest) throw new Error(`cut by ${cut}: ${JSON.stringify(found)}`);
        const parsed = parseResponseHead(found.text);
        for (const [index, one] of values.entries())
          if (parsed.headers.get(`x-${index}`) !== one) throw new Error(`x-${index} is not ${one}`);
      },
    ),
  );
});

t.test('garbage is refused or waited on, and nothing else', async () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    fc
      .uint8Array({ maxLength: 500 })
      .map((bytes) => Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n'), bytes, Buffer.from('\r\n\r\n')])),
    fc.string().map((text) => Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${text}\r\n\r\n`)),
    fc.constantFrom('\r\n\r\n', '\n\n', 'HTTP/1.', 'HTTP/1.1 200 OK\n\n').map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(garbage, pieces, (bytes, cut) => {
      try {
        const found = gather(bytes, cut);
        if (found) parseResponseHead(found.text);
      } catch (error) {
        if (!(error instanceof UpstreamError) || error.reason !== 'malformed') throw error;
      }
    }),
    { numRuns: propertyRuns(500) },
  );
});

t.test('a head has a bound, whatever it is', async (t) => {
  const endless = Buffer.from(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(70_000)}`);
  t.throws(() => gather(endless, [4096]), MALFORMED);
  t.throws(() => gather(Buffer.concat([endless, Buffer.from('\r\n\r\n')]), [65_536]), MALFORMED);
  t.throws(() => gather(Buffer.from('220 mail.example.io ESMTP'), [1]), MALFORMED, 'at its first byte');
  t.throws(() => gather(Buffer.from('HTTP/1.1 200 OK\nContent-Length: 1\n\n'), [1]), MALFORMED);
});
