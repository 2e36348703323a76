import t from 'tap';
import { propertyRuns } from '../helpers/property-runs.ts';
import { fuzz, hasBodyAfterHead, scriptOf } from './fuzz.ts';
import { FUZZ_MODES } from './fuzz-site.ts';
import { ALL_METHODS } from './request-parts.ts';

const SEED = 11;

const KNOWN = { paths: ['/v2/'], authorizations: ['Basic eDp4'] };

t.test('random requests harm no other exchange, and leave nothing behind', async (t) => {
  const met: Record<string, number> = {};
  for (const mode of FUZZ_MODES) {
    const { requests, replies } = await fuzz(t, { mode, seed: SEED, requests: propertyRuns(13_000) });
    t.comment(`${mode}: ${requests} requests: ${JSON.stringify(replies)}`);
    for (const [kind, count] of Object.entries(replies)) met[kind] = (met[kind] ?? 0) + count;
  }
  for (const kind of [
    'https HTTP/1.1 200',
    'https HTTP/1.1 400',
    'https HTTP/2 frames',
    'plain HTTP/1.1 200',
    'admin HTTP/1.1 200',
  ])
    t.ok((met[kind] ?? 0) >= 5, `${kind} was met`);
});

t.test('a reply to HEAD with a body is found', async (t) => {
  const script = (text: string) => ({ protocol: 'HTTP/1.1' as const, writes: [Buffer.from(text)] });
  const head = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n';
  t.ok(hasBodyAfterHead(script('HEAD / HTTP/1.1\r\n\r\n'), `${head}{}`));
  t.ok(hasBodyAfterHead(script('\r\nHEAD / HTTP/1.1\r\n\r\n'), `HTTP/1.1 100 Continue\r\n\r\n${head}{}`));
  t.notOk(hasBodyAfterHead(script('HEAD / HTTP/1.1\r\n\r\n'), head));
  t.notOk(hasBodyAfterHead(script('HEAD / HTTP/1.1\r\n\r\n'), `${head}${head}{}`), 'of the next one');
  t.notOk(hasBodyAfterHead(script('GET / HTTP/1.1\r\n\r\n'), `${head}{}`));
});

t.test('every listener gets every method, in each protocol version that it speaks', async (t) => {
  const scripts = Array.from({ length: 4000 }, (_, number) => scriptOf(SEED, number, KNOWN));
  const texts = Map.groupBy(scripts, ({ listener, protocol }) => `${listener} ${protocol}`);
  const kinds = ['admin HTTP/1.1', 'https HTTP/1.1', 'https HTTP/2', 'plain HTTP/1.1', 'redirect HTTP/1.1'];
  t.strictSame([...texts.keys()].sort(), kinds);
  for (const kind of kinds) {
    const writes = texts.get(kind)?.flatMap((script) => script.writes) ?? [];
    const text = Buffer.concat(writes).toString('latin1');
    // A request line, or a field of an HTTP/2 header block: its length comes before its value.
    const of = (method: string) =>
      kind.endsWith('/2') ? `:method${String.fromCharCode(method.length)}${method}` : `${method} `;
    const missing = ALL_METHODS.filter((method) => !text.includes(of(method)));
    t.strictSame(missing, [], kind);
  }
});

t.test('the requests are the same for the same seed', async (t) => {
  t.strictSame(scriptOf(SEED, 5, KNOWN), scriptOf(SEED, 5, KNOWN));
  t.notSame(scriptOf(SEED, 5, KNOWN), scriptOf(SEED + 1, 5, KNOWN));
});
