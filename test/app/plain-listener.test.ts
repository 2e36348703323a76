import { once } from 'node:events';
import { request } from 'node:http';
import bcrypt from 'bcrypt';
import t, { type Test } from 'tap';
import { type LabSite, type LabSiteOptions, startLabSite } from '../helpers/lab-site.ts';
import { connectProxied } from '../server/proxied-connection.ts';

const LISTEN = { https: '127.0.0.1:0', plain: '127.0.0.1:0', admin: '127.0.0.1:0' };
const MANIFEST = '/v2/library/app/manifests/1';

async function start(t: Test, config: Record<string, unknown> = {}, options: LabSiteOptions = {}): Promise<LabSite> {
  return startLabSite(t, { ...options, config: { listen: LISTEN, ...config } });
}

interface PlainReply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

function portOf({ edge }: LabSite): number {
  return edge.app.addresses().plain?.port ?? 0;
}

/** A request over plain HTTP. */
async function ask(
  site: LabSite,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<PlainReply> {
  const call = request({ host: '127.0.0.1', port: portOf(site), path, method, headers, agent: false }).end();
  const [response] = await once(call, 'response');
  const body = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode, headers: response.headers, body };
}

t.test('a local client pulls and pushes by any name of this machine', async (t) => {
  const site = await start(t);
  const port = portOf(site);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'edge.test'])
    t.match(await ask(site, MANIFEST, { host }), { status: 200 }, host);
  t.match(await ask(site, MANIFEST, { host: 'other.test' }), { status: 421 }, 'a name that is none of its own');
  const { status, headers } = await ask(site, '/v2/library/app/blobs/uploads/', {}, 'POST');
  t.equal(status, 202);
  t.match(String(headers.location), /^\/v2\/library\/app\/blobs\/uploads\//, 'the Location has no scheme to get wrong');
  t.match((await ask(site, MANIFEST, { connection: 'upgrade, http2-settings', upgrade: 'h2c' })).status, 200);
});

t.test('the token service has the scheme and the name by which the client asked', async (t) => {
  const users = { ann: await bcrypt.hash('secret', 4) };
  const auth = { mode: 'htpasswd', htpasswdFile: 'users', access: { ann: ['** pull'] } };
  const site = await start(t, { auth }, { settings: { users } });
  const host = `localhost:${portOf(site)}`;
  const { status, headers } = await ask(site, MANIFEST, { host });
  t.equal(status, 401);
  const realm = /realm="([^"]+)"/.exec(String(headers['www-authenticate']))?.[1] ?? '';
  t.equal(realm, `http://${host}/auth/token`);
  const authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
  const scope = 'service=edge.test&scope=repository:library/app:pull';
  const granted = await ask(site, `${new URL(realm).pathname}?${scope}`, { host, authorization });
  t.equal(granted.status, 200);
  const bearer = `Bearer ${JSON.parse(granted.body).token}`;
  t.match(await ask(site, MANIFEST, { host, authorization: bearer }), { status: 200 });
});

t.test('behind a load balancer that ends TLS, the scheme is the one that it tells', async (t) => {
  const auth = { mode: 'htpasswd', htpasswdFile: 'users' };
  const site = await start(t, { auth, trustedProxies: ['127.0.0.1'] }, { settings: { users: {} } });
  const realmOf = async (proto?: string) => {
    const headers = {
      host: 'edge.test',
      'x-forwarded-for': '203.0.113.9',
      ...(proto && { 'x-forwarded-proto': proto }),
    };
    const reply = await ask(site, MANIFEST, headers);
    return /realm="([^"]+)"/.exec(String(reply.headers['www-authenticate']))?.[1];
  };
  t.equal(await realmOf('https'), 'https://edge.test/auth/token');
  t.equal(await realmOf('http'), 'http://edge.test/auth/token');
  t.equal(await realmOf(), 'https://edge.test/auth/token', 'no password is sent in the clear for want of a header');
  const line = await site.edge.line(({ status }) => status === 401);
  t.match(line, { client: '203.0.113.9' }, 'and the client is who it says');
});

t.test('a token service of an upstream is named by the same rule, and pages by theirs', async (t) => {
  const site = await start(
    t,
    { passthrough: 'harbor' },
    {
      primary: { auth: { scheme: 'bearer', users: [{ username: 'ann', password: 'x' }] } },
      harbor: { credentials: 'forward' },
      canary: false,
    },
  );
  const { headers } = await ask(site, MANIFEST, { host: `127.0.0.1:${portOf(site)}` });
  t.match(String(headers['www-authenticate']), new RegExp(`realm="http://127\\.0\\.0\\.1:${portOf(site)}/auth/`));
  await ask(site, '/harbor/projects', { host: 'edge.test' });
  const seen = site.primary.requests.find(({ url }) => url === '/harbor/projects');
  t.match(seen?.headers, { 'x-forwarded-proto': 'http', 'x-forwarded-host': 'edge.test' });
});

t.test('a PROXY header names the client on it, too', async (t) => {
  const listen = { ...LISTEN, proxyProtocol: true };
  const site = await start(t, { listen, trustedProxies: ['127.0.0.1'] });
  const socket = await connectProxied(t, portOf(site), 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n');
  const options = { createConnection: () => socket as never, path: MANIFEST, headers: { host: 'edge.test' } };
  const [response] = await once(request(options).end(), 'response');
  t.equal(response.statusCode, 200, 'the load balancer vouches for it');
  t.match(await site.edge.line(({ status }) => status === 200), { client: '203.0.113.9' });
  await t.rejects(ask(site, MANIFEST), { code: 'ECONNRESET' }, 'without a header it is refused');
});

t.test('metrics, a drain and a reload count both listeners', async (t) => {
  const site = await start(t);
  await ask(site, MANIFEST);
  const { body } = await site.edge.admin('/metrics');
  t.match(body, /^breakwater_client_connections \d+/m);
  await t.rejects(site.edge.reload({ ...site.config, listen: { ...LISTEN, plain: '127.0.0.1:1' } }), {
    message: /listen\.plain cannot change without a restart/,
  });
  await site.edge.app.stop();
  await t.rejects(ask(site, MANIFEST), { code: 'ECONNREFUSED' });
});
