import t from 'tap';
import { startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';

t.test('a client with hundreds of slow pulls leaves places of an upstream to others', async (t) => {
  const site = await startLabSite(t, {
    harbor: { maxInFlight: { data: 32, control: 32, queue: 1000 }, deadlines: { blob: '30s' }, hedge: { share: 0 } },
    config: { trustedProxies: ['127.0.0.1'], verify: 'never', splice: { minRate: 0 } },
  });
  const { edge, primary } = site;
  const blob = `/v2/library/app/blobs/${site.blob()}`;
  await primary.faults.on('slow', { bytesPerSecond: 2000, path: /blobs/ });
  const as = (client: string) => ({ headers: { 'x-forwarded-for': client } });
  let served = 0;
  const ask = async () => {
    await edge.http1().ask(blob, as('192.0.2.1'));
    served += 1;
  };
  // Those beyond its share go to the fallback.
  for (let pulls = 0; pulls < 60; pulls += 1) void ask().catch(() => undefined);
  const inFlight = () => edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.urls[0]?.inFlight.data ?? 0;
  await until(() => inFlight() + served === 60, { what: () => `60 pulls: ${inFlight()} slow, ${served} served` });
  t.equal(inFlight(), 28);
  await primary.faults.off('slow');
  const { headers, status } = await edge.http1().ask(blob, as('192.0.2.2'));
  t.match({ status, upstream: headers['x-breakwater-upstream'] }, { status: 200, upstream: 'harbor' });
});
