import { once } from 'node:events';
import http, { type OutgoingHttpHeaders } from 'node:http';
import t from 'tap';
import { type EdgeInProcess, RARE_PROBE, startEdgeInProcess } from '../helpers/edge-in-process.ts';

const TOKEN = 'the-token-of-the-admin';
const METRICS_TOKEN = 'the-token-of-metrics';
const SITE = {
  upstreams: { primary: { urls: ['http://127.0.0.1:9'], probe: RARE_PROBE } },
  routes: [{ prefix: '', pull: [{ upstream: 'primary' }] }],
};

async function statusOf(edge: EdgeInProcess, path: string, headers: OutgoingHttpHeaders = {}): Promise<number> {
  const { port } = edge.app.addresses().admin;
  const request = http.request({ host: '127.0.0.1', port, path, headers, agent: false }).end();
  const [response] = await once(request, 'response');
  response.resume();
  return response.statusCode;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

t.test('the admin listener answers the hosts of its configuration', async (t) => {
  const edge = await startEdgeInProcess(t, SITE);
  t.equal(await statusOf(edge, '/api/status'), 200);
  t.equal(await statusOf(edge, '/api/status', { host: 'edge-a.lan:9443' }), 421);
  t.equal(await statusOf(edge, '/readyz', { host: 'edge-a.lan:9443' }), 200);
  const listen = { https: '127.0.0.1:0', admin: '127.0.0.1:0', adminHosts: ['Edge-A.lan'] };
  await edge.reload({ ...SITE, listen });
  t.equal(await statusOf(edge, '/api/status', { host: 'edge-a.lan:9443' }), 200);
});

t.test('on all addresses without a token it starts, and shows only health', async (t) => {
  const edge = await startEdgeInProcess(t, { ...SITE, listen: { https: '127.0.0.1:0', admin: '0.0.0.0:0' } });
  for (const path of ['/healthz', '/readyz']) t.equal(await statusOf(edge, path), 200, path);
  for (const path of ['/', '/metrics', '/api/status', '/api/coverage']) t.equal(await statusOf(edge, path), 403, path);
  t.match(edge.log, /"key":"listen.admin","message":"other machines can reach 0\.0\.0\.0:0/, 'the log says so');
});

t.test('tokens are those of the files as they were read last', async (t) => {
  const edge = await startEdgeInProcess(t, SITE, { adminToken: TOKEN, metricsToken: METRICS_TOKEN });
  t.equal(await statusOf(edge, '/api/status'), 401);
  t.equal(await statusOf(edge, '/api/status', bearer(TOKEN)), 200);
  t.equal(await statusOf(edge, '/metrics', bearer(METRICS_TOKEN)), 200);
  t.equal(await statusOf(edge, '/readyz'), 200);
  t.equal(await statusOf(edge, '/api/status', bearer('no-such-token-at-all')), 401);
  t.match(edge.log, /"client":"127\.0\.0\.1","msg":"a wrong token was shown to the admin listener"/);
  t.notMatch(edge.log, /no-such-token|the-token-of/, 'and no token is logged');
  await edge.reload(SITE, { adminToken: `${TOKEN}-2` });
  t.equal(await statusOf(edge, '/api/status', bearer(TOKEN)), 401);
  t.equal(await statusOf(edge, '/api/status', bearer(`${TOKEN}-2`)), 200);
});
