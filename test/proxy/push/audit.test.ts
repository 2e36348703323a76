import { createHash } from 'node:crypto';
import t from 'tap';
import { ANN, FORWARD } from '../../helpers/forward-site.ts';
import { startLabSite } from '../../helpers/lab-site.ts';
import { until } from '../../helpers/until.ts';

t.test('a push, a deletion and a refused push, in one kind of line', async (t) => {
  const site = await startLabSite(t, { ...FORWARD, config: { log: { requests: 'notable', level: 'error' } } });
  const client = site.edge.http1();
  const type = 'application/vnd.oci.image.index.v1+json';
  const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [] });
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const headers = { authorization: ANN, 'content-type': type };
  const image = '/v2/library/new/manifests/1';
  const put = () => client.ask(image, { method: 'PUT', headers, body });
  const token = await client.ask(image, { headers: {} });
  t.equal(token.status, 401);
  const first = await put();
  await client.ask(image, { method: 'DELETE', headers });
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  const last = await put();
  t.equal(last.status, 403);
  const audits = () => site.edge.log.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line).audit ?? [])));
  await until(() => audits().length >= 3 || undefined, { what: () => site.edge.log });
  const common = { what: 'library/new:1', tried: 'ann', client: '127.0.0.1' };
  t.match(audits(), [
    { action: 'push', result: first.status === 201 ? 'done' : 'refused', ...common },
    { action: 'delete', ...common },
    { action: 'push', result: 'refused', ...common },
  ]);
  t.equal(audits()[0].digest, first.status === 201 ? digest : undefined);
  t.notMatch(site.edge.log, /Tr0ub4dor/);
});
