import { fileURLToPath } from 'node:url';
import bcrypt from 'bcrypt';
import t from 'tap';
import type { ExplanationNow } from '../../src/proxy/endpoints/explain-now.ts';
import { tryCommand } from '../helpers/command.ts';
import { ANN, basic, FORWARD } from '../helpers/forward-site.ts';
import { CLOUD, clientRequests, INNER, type LabSite, startLabSite } from '../helpers/lab-site.ts';

const BIN = fileURLToPath(new URL('../../bin/breakwater', import.meta.url));

async function explained({ edge }: LabSite, image: string, user = ''): Promise<ExplanationNow> {
  const { status, body } = await edge.admin(`/api/explain?${new URLSearchParams({ image, user, ask: '1' })}`);
  t.equal(status, 200, image);
  return JSON.parse(body);
}

t.test("each upstream is asked once, with the edge's own credentials", async (t) => {
  const users = [{ username: 'edge', password: 'edge-secret' }];
  const site = await startLabSite(t, {
    primary: { auth: { scheme: 'bearer', users } },
    harbor: { credentials: { username: 'edge', passwordFile: 'x' } },
    settings: { secrets: { harbor: { password: 'edge-secret' } } },
  });
  const { primary, fallback, edge, image } = site;
  await edge.http1().ask('/v2/library/app/manifests/1');
  for (const registry of [primary, fallback]) registry.forget();
  const { looks, outlook, ledger } = await explained(site, 'library/app:1');
  t.match(looks, [
    { upstream: 'harbor', as: `${INNER}library/app:1`, credentials: 'own', says: 'has', digest: image.digest },
    { upstream: 'gcr', as: `${CLOUD}library/app:1`, credentials: 'none', says: 'has', digest: image.digest },
  ]);
  for (const registry of [primary, fallback])
    t.match(
      clientRequests(registry).filter(({ kind }) => kind === 'manifest'),
      [{ method: 'HEAD', status: 200 }],
    );
  t.equal(outlook.digests, `harbor and gcr have ${image.digest}`);
  t.equal(outlook.withoutPrimary, `gcr would serve ${image.digest}`);
  t.equal(ledger?.digest, image.digest);

  const newer = primary.seed(`${INNER}library/app`, '1', { blobs: [10] });
  t.match((await explained(site, 'library/app:1')).outlook.withoutPrimary, `, and not ${newer.digest} of harbor`);
  const byDigest = await explained(site, `library/app@${image.digest}`);
  t.match(byDigest.looks, [{ says: 'has' }, { says: 'has' }]);
  const absent = await explained(site, 'library/app:9');
  t.match(absent.looks, [{ says: 'lacks', confirmed: true }, { says: 'lacks' }]);
  t.match(absent.outlook.now, 'clients get 404, because harbor does not have it');

  await primary.faults.on('down');
  const dead = await explained(site, 'library/app:1');
  t.match(dead.looks[0], { says: 'unknown', why: /^it cannot be reached/ });
  t.match(dead.outlook.digests, 'what harbor has is not known');
  const admin = `http://127.0.0.1:${edge.app.addresses().admin.port}`;
  const { status, output } = await tryCommand(BIN, ['explain', 'library/app:1', '--user', 'ann', '--admin', admin]);
  t.equal(status, 0);
  t.match(output, /^asked now:\n {2}harbor .* unknown .*\n {2}gcr .* has sha256:/m);
  t.match(output, /^user ann:\n {2}auth.mode is open, and no upstream/m);
});

t.test('what the primary does not show without a login is unknown', async (t) => {
  const site = await startLabSite(t, FORWARD);
  const { looks, outlook, user } = await explained(site, 'library/app:1', 'ann');
  t.match(looks, [
    {
      upstream: 'harbor',
      credentials: 'none',
      says: 'unknown',
      hidden: true,
      why: 'it answers 401 without credentials',
    },
    { upstream: 'gcr', credentials: 'own', says: 'has' },
  ]);
  t.match(outlook.now, 'harbor decides by the credentials of the client, which are not known here; gcr would serve');
  t.match(user, { unknown: [/^what ann may do in library\/app: harbor decides/] });
});

t.test('what a user may do is told without the password', async (t) => {
  const site = await startLabSite(t, { ...FORWARD, config: { auth: { mode: 'delegate' } } });
  const client = site.edge.http1();
  const before = await explained(site, 'library/app:1', 'ann');
  t.match(before.user, { unknown: [/takes the password/, /^no login of ann was seen/] });
  const query = new URLSearchParams({ service: 'edge.test', scope: 'repository:library/app:pull' });
  t.equal((await client.ask(`/auth/token?${query}`, { headers: { authorization: ANN } })).status, 200);
  const after = await explained(site, 'library/app:1', 'ann');
  t.match(after.user?.known, [
    /./,
    'harbor let ann pull library/app; in an outage that counts for 24 h more, with the same password',
  ]);
  t.match((await explained(site, 'library/other:1', 'ann')).user?.known, [
    /./,
    /did not let ann pull library\/other lately/,
  ]);

  const rules = { mode: 'htpasswd', htpasswdFile: 'users', access: { ann: ['library/** pull'] } };
  const hash = await bcrypt.hash('x', 4);
  const own = await startLabSite(t, { config: { auth: rules }, settings: { users: { ann: hash } } });
  t.match((await explained(own, 'library/app:1', 'ann')).user?.known, ['ann may pull in library/app, by auth.access']);
  t.match((await explained(own, 'library/app:1', 'eve')).user?.known, [/^there is no user eve/]);
  t.notMatch(JSON.stringify(after), basic('', '').slice(6));
});

t.test('the operator cannot make it ask without a bound', async (t) => {
  const site = await startLabSite(t);
  await Promise.all([site.primary, site.fallback].map((one) => one.faults.on('delay', { ms: 300 })));
  const replies = await Promise.all(
    Array.from({ length: 6 }, () => site.edge.admin('/api/explain?image=library/app:1&ask=1')),
  );
  t.strictSame(replies.map(({ status }) => status).sort(), [200, 200, 200, 200, 429, 429]);
});
