import t from 'tap';
import { parseConfig } from '../../src/config/inspection.ts';
import { scaleUpstreamTimes } from '../helpers/upstream-times.ts';

const CONFIG = {
  hostname: 'edge.test',
  tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
  upstreams: {
    harbor: {
      urls: ['http://127.0.0.1:1'],
      probe: { interval: '1h', fall: 1 },
      deadlines: { manifest: '300ms' },
      hedge: { share: 0 },
    },
    gcr: { urls: ['http://127.0.0.1:2'], probe: { timeout: '50ms' }, hedge: { floor: '40ms' } },
  },
  routes: [{ prefix: '', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
};
const fourfold = (ms: number) => 4 * ms;

t.test('times of upstreams follow the factor, as far as the time of a request allows', async (t) => {
  const { harbor, gcr } = parseConfig(scaleUpstreamTimes(CONFIG, fourfold)).config.upstreams;
  t.match(harbor, {
    probe: { interval: 3_600_000, fall: 1, timeout: 4000 },
    deadlines: { connect: 4000, manifest: 1200, blob: 5000, stall: 20_000, push: 40_000 },
    hedge: { share: 0, floor: 600 },
  });
  t.match(gcr, { probe: { timeout: 200 }, deadlines: { manifest: 4000 }, hedge: { floor: 160 } });
});

t.test('on a quiet machine, and with mistakes, the configuration stays as it is', async (t) => {
  t.equal(
    scaleUpstreamTimes(CONFIG, (ms) => ms),
    CONFIG,
  );
  for (const upstreams of [undefined, [], { harbor: null }, { harbor: { urls: 'x' } }])
    t.strictSame(scaleUpstreamTimes({ upstreams }, fourfold), { upstreams });
});
