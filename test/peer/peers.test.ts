import type { LookupAddress } from 'node:dns';
import t from 'tap';
import type { PeerView } from '../../src/peer/peer-view.ts';
import { Peers } from '../../src/peer/peers.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import { timeLimit } from '../helpers/time-limit.ts';

const CONFIG = { hostname: 'edge.test', secrets: [Buffer.from('a secret of a pair that is long enough')] };

function made(urls: string[], resolve: (name: string) => Promise<LookupAddress[]>) {
  const told: PeerView[] = [];
  const resolver = new Resolver(resolve);
  const peers = new Peers(
    { ...CONFIG, urls },
    { stores: [], told: [], resolver, now: () => 0, onState: (view) => told.push(view), onLate: () => undefined },
  );
  t.teardown(() => peers.stop());
  return { peers, told };
}

const never = () => new Promise<LookupAddress[]>(() => undefined);

t.test('a name server that does not answer holds up neither a start nor other names', async (t) => {
  const { peers, told } = made(['https://edge-b.lan:9', 'https://127.0.0.1:9'], never);
  const begun = performance.now();
  await peers.start();
  t.ok(performance.now() - begun < timeLimit(3500));
  t.match(
    peers.views().map(({ url, state, reason }) => `${url} ${state} ${reason}`),
    [
      /^https:\/\/127.0.0.1:9 unreachable .*ECONNREFUSED/,
      /^https:\/\/edge-b.lan:9 unreachable edge-b.lan did not resolve in time/,
    ],
  );
  t.equal(told.length, 2);
});

t.test('another list counts at once, though names of the one before are still being looked up', async (t) => {
  const { promise, resolve } = Promise.withResolvers<LookupAddress[]>();
  const { peers } = made(['https://edge-b.lan:9'], () => promise);
  const started = peers.start();
  peers.update({ ...CONFIG, urls: ['https://127.0.0.1:9'] });
  resolve([{ address: '127.0.0.2', family: 4 }]);
  await started;
  await new Promise((done) => setImmediate(done));
  t.match(
    peers.views().map(({ address }) => address),
    ['127.0.0.1:9'],
  );
});
