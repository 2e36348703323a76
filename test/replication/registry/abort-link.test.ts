import { getEventListeners } from 'node:events';
import t from 'tap';
import { AbortLink } from '../../../src/replication/registry/abort-link.ts';
import { stayAlive } from '../../helpers/stay-alive.ts';

stayAlive(t);

t.test('it follows, and leads nowhere', async (t) => {
  const parent = new AbortController();
  const [one, two, ended] = [parent, parent, parent].map(({ signal }) => new AbortLink(signal));
  one?.abort(new Error('alone'));
  t.equal(parent.signal.aborted, false);
  ended?.unlink();
  parent.abort(new Error('all'));
  t.match(one?.signal.reason, { message: 'alone' });
  t.match(two?.signal.reason, { message: 'all' });
  t.equal(ended?.signal.aborted, false);
  t.match(new AbortLink(parent.signal).signal.reason, { message: 'all' }, 'also later');
});

t.test('ten thousand leave nothing behind', async (t) => {
  const { signal } = new AbortController();
  for (let number = 0; number < 10_000; number += 1) await AbortLink.withTimeout(signal, 1000, async () => number);
  t.equal(getEventListeners(signal, 'abort').length, 1);
});

t.test('a time for all of it', async (t) => {
  const { signal } = new AbortController();
  const slow = (inner: AbortSignal) =>
    new Promise((_, reject) => inner.addEventListener('abort', () => reject(new Error('aborted'))));
  await t.rejects(AbortLink.withTimeout(signal, 20, slow), { name: 'UpstreamError', reason: 'first-byte' });
  t.equal(await AbortLink.withTimeout(signal, 20, async () => 'done'), 'done');
  await t.rejects(
    AbortLink.withTimeout(signal, 20, async () => Promise.reject(new Error('its own'))),
    { message: 'its own' },
  );
});
