import { join } from 'node:path';
import t from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { startServer, tls } from '../acme/acme-server.ts';
import { RARE_PROBE, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

const TOKEN = 'the-token-of-the-admin';
const SITE = {
  hostname: 'cr.test',
  upstreams: { primary: { urls: ['http://127.0.0.1:9'], probe: RARE_PROBE } },
  routes: [{ prefix: '', pull: [{ upstream: 'primary' }] }],
};

t.test('an operator orders past the back-off and the week', async (t) => {
  const issued = await makeCertificate({ names: ['cr.test'] });
  const { directory, asked } = await startServer(t, issued, { challenge: 'invalid' });
  const edge = await startEdgeInProcess(
    t,
    {
      ...SITE,
      listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0', http: '127.0.0.1:0' },
      tls: { acme: { directory, agreeToTerms: true, dir: join(temporaryFolder(t), 'acme') } },
    },
    { acmeCa: tls.ca, adminToken: TOKEN },
  );
  const failures = (count: number, waits: string) =>
    until(
      () => {
        const { certificate } = edge.app.status();
        return certificate?.failures === count && certificate.waits === waits;
      },
      { what: () => `${count} failures: ${JSON.stringify(edge.app.status().certificate)}` },
    );
  await failures(1, 'backoff');
  t.match(edge.app.status().headline.lines.join(' '), /The next order is at .*, or now by: breakwater cert order/);
  t.equal((await edge.admin('/api/cert-order', TOKEN)).status, 405);
  t.equal((await edge.adminPost('/api/cert-order', 'another token')).status, 401);
  const { status, body } = await edge.adminPost('/api/cert-order', TOKEN);
  t.equal(status, 200);
  t.strictSame(JSON.parse(body), { names: ['cr.test'], by: 'this-edge' });
  await failures(2, 'weekly');
  await edge.adminPost('/api/cert-order', TOKEN);
  await failures(3, 'weekly');
  t.equal(asked.filter((path) => path === '/order').length, 3);
  t.match(edge.log, /"action":"change","result":"done".*"what":"\/api\/cert-order"/);
});

t.test('an edge with a certificate in files orders none', async (t) => {
  const edge = await startEdgeInProcess(t, SITE, { adminToken: TOKEN });
  const { status, body } = await edge.adminPost('/api/cert-order', TOKEN);
  t.equal(status, 404);
  t.match(body, /this edge has no tls\.acme/);
});
