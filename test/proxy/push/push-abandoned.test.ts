import t from 'tap';
import { codeOf, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

t.test('an upload that waits for a primary that has gone down is given up', async (t) => {
  const site = await startLabSite(t, {
    harbor: { probe: { timeout: '300ms' }, deadlines: { pushStall: '1s' } },
  });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const begun = await client.ask('/v2/team/new/blobs/uploads/', { method: 'POST' });
    t.equal(begun.status, 202, client.version);
    await site.primary.faults.on('frozen');
    const path = `${begun.headers.location}?digest=${sha256(client.version)}`;
    const reply = await client.ask(path, { method: 'PUT', body: client.version });
    // Either it was refused because the probes were faster, or it was begun, and how far it came is unknown.
    t.match(`${reply.status} ${codeOf(reply)}`, /^(503 UNAVAILABLE|403 DENIED)$/);
    t.ok(
      reply.headersAfter < timeLimit(5000),
      `after ${Math.round(reply.headersAfter)} ms, not after deadlines.commit`,
    );
    await site.primary.faults.off();
    await site.edge.pushes('harbor', true);
  }
});
