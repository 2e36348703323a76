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

t.test('the requests have every method, and are the same for the same seed', async (t) => {
  const scripts = Array.from({ length: 2000 }, (_, number) => scriptOf(SEED, number, ['/v2/']));
  const text = scripts.map(({ writes }) => Buffer.concat(writes).toString('latin1')).join('');
  t.strictSame(
    ALL_METHODS.filter((method) => !text.includes(`${method} `)),
    [],
  );
  t.strictSame(scriptOf(SEED, 5, ['/v2/']), scripts[5]);
});
