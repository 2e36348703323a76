import t from 'tap';
import { propertyRuns } from '../helpers/property-runs.ts';
import { fuzz, scriptOf } from './fuzz.ts';
import { ALL_METHODS } from './request-parts.ts';

const SEED = 11;

t.test('random requests harm no other exchange, and leave nothing behind', async (t) => {
  const { requests, replies } = await fuzz(t, { seed: SEED, requests: propertyRuns(40_000) });
  t.comment(`${requests} requests: ${JSON.stringify(replies)}`);
  for (const kind of ['https HTTP/1.1 200', 'https HTTP/1.1 400', 'https HTTP/2 frames', 'admin HTTP/1.1 200'])
    t.ok((replies[kind] ?? 0) >= 5, `${kind} was met`);
});

t.test('every listener gets every method, in each protocol version that it speaks', async (t) => {
  const scripts = Array.from({ length: 4000 }, (_, number) => scriptOf(SEED, number, ['/v2/']));
  const texts = Map.groupBy(scripts, ({ listener, protocol }) => `${listener} ${protocol}`);
  const kinds = ['admin HTTP/1.1', 'https HTTP/1.1', 'https HTTP/2', 'redirect HTTP/1.1'];
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
  t.strictSame(scriptOf(SEED, 5, ['/v2/']), scriptOf(SEED, 5, ['/v2/']));
  t.notSame(scriptOf(SEED, 5, ['/v2/']), scriptOf(SEED + 1, 5, ['/v2/']));
});
