import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { ContainerClient } from '../helpers/container-client.ts';
import { type Image, writeImage } from '../helpers/image.ts';
import { CLIENT_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { startTokenAuthority, type TokenAuthority } from '../helpers/token-authority.ts';
import { missing } from '../helpers/tool.ts';

const ALICE = { name: 'alice', password: 'correct horse' };
const BOB = { name: 'bob', password: 'battery staple' };
const PROBE = { name: 'robot$probe', password: 'probing' };
const ALL = ['pull', 'push'];

interface World {
  authority: TokenAuthority;
  site: Site;
}

/** A primary whose own token service says who may do what: alice everything, bob library/open only. */
async function start(owner: Parameters<typeof startSite>[0]): Promise<World> {
  const authority = await startTokenAuthority(owner, {
    alice: { password: ALICE.password, may: { 'library/': ALL } },
    bob: { password: BOB.password, may: { 'library/open': ['pull'] } },
    robot$probe: { password: PROBE.password, may: { 'library/': ALL } },
  });
  const folder = temporaryFolder(owner);
  await writeFile(join(folder, 'edge.key'), 'a secret of the edge that is long enough for this test');
  await writeFile(join(folder, 'probe'), PROBE.password);
  const probe = { credentials: { username: PROBE.name, passwordFile: join(folder, 'probe') } };
  const config = { keyFile: join(folder, 'edge.key'), auth: { mode: 'delegate', realmHosts: ['127.0.0.1'] } };
  const primary = async () => ({ credentials: 'forward', probe });
  const site = await startSite(owner, config, primary, {
    registry: { auth: authority.registryAuth },
    pusher: { name: PROBE.name, password: PROBE.password },
  });
  return { authority, site };
}

t.test('users of the primary, with real clients', { skip: missing(...CLIENT_TOOLS) }, async (t) => {
  const { authority, site } = await start(t);
  const { edge, harbor } = site;
  const open = await site.seed('open:v1');
  const closed = await site.seed('closed:v1');
  const clients = await site.clients();

  const pulls = async (client: ContainerClient, state: string, repository: string, { digest }: Image, who = ALICE) => {
    client.as(edge.address, who);
    t.equal(await client.pull(`${site.image(repository)}:v1`), digest, `${state}, ${client.name}: ${who.name} pulls`);
  };
  const fails = async (client: ContainerClient, state: string, repository: string, who: typeof ALICE | undefined) => {
    client.as(edge.address, who);
    const tried = await client.tryPull(`${site.image(repository)}:v1`);
    t.not(tried.status, 0, `${state}, ${client.name}: ${who?.name ?? 'nobody'} may not`);
  };
  const check = async (state: string) => {
    for (const client of clients) {
      await pulls(client, state, 'closed', closed);
      await pulls(client, state, 'open', open, BOB);
      await fails(client, state, 'closed', BOB);
      await fails(client, state, 'open', { ...ALICE, password: 'wrong' });
      await fails(client, state, 'open', undefined);
    }
  };
  await check('all is well');
  for (const [index, client] of clients.entries()) {
    const { folder } = await writeImage(temporaryFolder(t), { layers: [2000] });
    client.as(edge.address, ALICE);
    await client.push(folder, `${site.image(`new${index}`)}:v1`);
    client.as(edge.address, BOB);
    t.not((await client.tryPush(folder, `${site.image('open')}:v2`)).status, 0, `${client.name}: bob may not push`);
  }
  await harbor.kill();
  authority.close();
  await edge.waitFor((status) => status.upstreams.find(({ name }) => name === 'harbor')?.state === 'down');
  await check('the primary and its token service are down');
  t.match(edge.log(), /"grant":"remembered"/, 'what was granted on memory is in the log');
  t.notMatch(edge.log(), /correct horse|battery staple|Bearer|eyJ/, 'no secret is');
});
