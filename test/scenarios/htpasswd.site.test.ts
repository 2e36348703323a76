import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { hashPassword } from '../../src/auth/passwords.ts';
import { writeImage } from '../helpers/image.ts';
import { CLIENT_TOOLS, type Site, startSite } from '../helpers/site.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';

const ALICE = { name: 'alice', password: 'correct horse' };
const BOB = { name: 'bob', password: 'battery staple' };
const WRONG = { name: 'alice', password: 'battery staple' };

/** Everybody may pull library/open, alice may do more. */
async function start(t: Parameters<typeof startSite>[0]): Promise<Site> {
  const folder = temporaryFolder(t);
  const htpasswdFile = join(folder, 'users');
  const lines = await Promise.all(
    [ALICE, BOB].map(async ({ name, password }) => `${name}:${await hashPassword(password)}`),
  );
  await writeFile(htpasswdFile, `${lines.join('\n')}\n`);
  await writeFile(join(folder, 'edge.key'), 'a secret of the edge that is long enough for this test');
  return startSite(t, {
    keyFile: join(folder, 'edge.key'),
    auth: {
      mode: 'htpasswd',
      htpasswdFile,
      groups: { developers: ['alice'] },
      access: { '@developers': ['library/** pull,push'], '*': ['library/open pull'] },
    },
  });
}

t.test('users of the edge itself, with real clients', { skip: missing(...CLIENT_TOOLS) }, async (t) => {
  const site = await start(t);
  const { edge, harbor } = site;
  const open = await site.seed('open:v1');
  const closed = await site.seed('closed:v1');
  const clients = await site.clients();
  const layouts = await Promise.all(clients.map(() => writeImage(temporaryFolder(t), { layers: [2000] })));

  const check = async (state: string) => {
    for (const client of clients) {
      const who = `${state}, ${client.name}`;
      client.as(edge.address, ALICE);
      t.equal(await client.pull(`${site.image('closed')}:v1`), closed.digest, `${who}: alice pulls what she may`);
      client.as(edge.address, BOB);
      t.equal(await client.pull(`${site.image('open')}:v1`), open.digest, `${who}: bob pulls what everybody may`);
      const denied = await client.tryPull(`${site.image('closed')}:v1`);
      t.not(denied.status, 0, `${who}: and nothing else`);
      t.match(denied.output, /denied|unauthorized|401|403/i, `${who}: and is told why`);
      client.as(edge.address, WRONG);
      t.not((await client.tryPull(`${site.image('open')}:v1`)).status, 0, `${who}: a wrong password opens nothing`);
      client.as(edge.address, undefined);
      t.not((await client.tryPull(`${site.image('open')}:v1`)).status, 0, `${who}: nor does none`);
    }
  };
  await check('all is well');
  for (const [index, client] of clients.entries()) {
    const { folder } = layouts[index] ?? { folder: '' };
    client.as(edge.address, ALICE);
    await client.push(folder, `${site.image(`new${index}`)}:v1`);
    client.as(edge.address, BOB);
    t.not((await client.tryPush(folder, `${site.image('open')}:v2`)).status, 0, `${client.name}: bob may not push`);
  }
  await harbor.kill();
  await edge.waitFor((status) => status.upstreams.find(({ name }) => name === 'harbor')?.state === 'down');
  await check('the primary is down');
  t.notMatch(edge.log(), /correct horse|battery staple|\$2b\$|Bearer|eyJ/, 'no secret is in the log');
  t.match(edge.log(), /"user":"alice"/, 'but who it was is');
});
