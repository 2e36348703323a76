import type dns from 'node:dns';
import t from 'tap';
import { Resolver } from '../../src/upstream/resolver.ts';
import { MockedTime } from '../helpers/host-clock.ts';

const ADDRESS: dns.LookupAddress = { address: '192.0.2.1', family: 4 };

t.test('an answer is kept, and the last one outlives its server', async (t) => {
  const time = new MockedTime(t);
  let calls = 0;
  let dead = false;
  const resolver = new Resolver(async () => {
    calls += 1;
    if (dead) throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    return [ADDRESS];
  });
  await Promise.all([resolver.addresses('a'), resolver.addresses('a')]);
  t.equal(calls, 1, 'those who ask at the same time share one look-up');
  await resolver.addresses('a');
  t.equal(calls, 1, 'fresh');
  time.pass(31_000);
  dead = true;
  t.same(await resolver.addresses('a'), [ADDRESS]);
  t.equal(calls, 2);
  await t.rejects(resolver.addresses('b'), { code: 'ENOTFOUND' }, 'a name that was never known');
});

t.test('as net.connect asks for it', async (t) => {
  const resolver = new Resolver(async () => [{ address: '::1', family: 6 }, ADDRESS]);
  const ask = (options: object) => new Promise((resolve) => resolver.lookup('a', options, (...all) => resolve(all)));
  t.same(await ask({ all: true }), [null, [{ address: '::1', family: 6 }, ADDRESS]]);
  t.same(await ask({ family: 4 }), [null, '192.0.2.1', 4]);
  t.same(await ask({}), [null, '::1', 6]);
});
