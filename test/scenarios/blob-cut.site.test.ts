import t from 'tap';
import { FaultyLine } from '../helpers/faulty-line.ts';
import { CLIENT_TOOLS, startSite } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';

const LAYER = 12_000_000;

t.test('the primary breaks off in the middle of blobs', { skip: missing(...CLIENT_TOOLS) }, async (t) => {
  let line: FaultyLine | undefined;
  const site = await startSite(t, {}, async (harbor) => {
    line = await new FaultyLine(t, harbor.address).listen();
    return { urls: [`http://${line.address}`] };
  });
  const clients = await site.clients();
  for (const [index, client] of clients.entries()) {
    // A blob of its own for each: one that was broken off before is asked for elsewhere at once.
    const image = await site.seed(`app${index}:v1`, { layers: [LAYER, 500] });
    await site.edge.waitFor((status) => status.upstreams.find(({ name }) => name === 'harbor')?.state === 'up');
    line?.set({ limitData: LAYER / 3 });
    t.equal(await client.pull(`${site.image(`app${index}`)}:v1`), image.digest, `${client.name}: pulls it in one go`);
    line?.set({});
  }
  t.match(site.edge.log(), /"splices":\[\{"from":"harbor","to":"gcr"/, 'by going on from the fallback');
  t.notMatch(site.edge.log(), /"outcome":"cut"/, 'and no client got a part');
});
