import net from 'node:net';
import { mock } from 'node:test';
import t from 'tap';
import { RARE_PROBE } from '../../helpers/edge-in-process.ts';
import { codeOf, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

/** As if the process had no descriptors for connections to the primary. @returns ends that, and counts the connections that were not made */
async function withoutDescriptors(owner: Owner, { primary }: LabSite): Promise<{ met: () => number; end: () => void }> {
  const { connect } = net.Socket.prototype;
  const isPrimary = (given: unknown[]) => {
    const [options] = given.flat<unknown[]>();
    return (
      typeof options === 'object' && options !== null && 'port' in options && Number(options.port) === primary.port
    );
  };
  let met = 0;
  const method = mock.method(net.Socket.prototype, 'connect', function (this: net.Socket, ...given: [string]) {
    if (!isPrimary(given)) return connect.apply(this, given);
    met += 1;
    return this.destroy(Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' }));
  });
  owner.teardown(() => method.mock.restore());
  // Cuts the connections that are kept.
  await primary.faults.on('down');
  await primary.faults.off();
  return { met: () => met, end: () => method.mock.restore() };
}

const harbor = ({ edge }: LabSite) => edge.app.status().upstreams.find(({ name }) => name === 'harbor');

t.test('without descriptors a write is told that the edge has none, and pulls use the next upstream', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: RARE_PROBE } });
  const client = site.edge.http1();
  const lack = await withoutDescriptors(t, site);
  const writes = [
    ['POST', 'blobs/uploads/', undefined],
    ['PUT', 'manifests/1', '{}'],
    ['DELETE', 'manifests/1', undefined],
  ] as const;
  for (const [method, path, body] of writes) {
    const reply = await client.ask(`/v2/team/new/${path}`, { method, ...(body === undefined ? {} : { body }) });
    t.strictSame([reply.status, codeOf(reply)], [503, 'UNAVAILABLE'], `${method} ${path}`);
    t.match(reply.body.toString(), 'this edge has no file descriptor left to ask harbor; push again');
  }
  const pulled = await client.ask('/v2/library/app/manifests/1');
  t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  const { attempts } = await site.edge.line(({ upstream }) => upstream === 'gcr');
  t.match(attempts, [
    { upstream: 'harbor', reason: 'descriptors' },
    { upstream: 'gcr', outcome: 'served' },
  ]);
  t.match(harbor(site), { state: 'up', pushes: { admitted: true }, urls: [{ breakers: { push: 'closed' } }] });
  lack.end();
  t.equal((await client.ask('/v2/team/new/blobs/uploads/', { method: 'POST' })).status, 202, 'at once');
});

t.test('probes without descriptors change no state', async (t) => {
  // The cut of the connections may fail one probe.
  const site = await startLabSite(t, { harbor: { probe: { fall: 3 } } });
  const lack = await withoutDescriptors(t, site);
  const before = lack.met();
  await until(() => lack.met() > before + 15, { what: () => 'probes that find no descriptor' });
  t.match(harbor(site), { state: 'up' });
  t.notMatch(site.edge.log, /upstream is down/);
});
