import { join } from 'node:path';
import t from 'tap';
import { MODES } from '../access/modes.ts';
import { type AccessSite, startAccessSite } from '../access/site.ts';
import { type Seen, Traffic } from '../access/traffic.ts';
import { type Finished, tryCommand } from '../helpers/command.ts';
import type { ClientUser, ContainerClient } from '../helpers/container-client.ts';
import { Containerd } from '../helpers/containerd.ts';
import { Docker } from '../helpers/docker.ts';
import { CLIENT_TOOLS } from '../helpers/site.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';
import { VirtualAddress } from '../helpers/virtual-address.ts';

// The ways in which clients ask for tokens, each by the real one (facts: token auth), while the primary is well and while it is down.

interface World {
  site: AccessSite;
  /** `127.0.0.1:PORT` */
  host: string;
  image: string;
  during: <T>(act: () => Promise<T>) => Promise<{ done: T; seen: Seen[] }>;
}

async function start(owner: Owner): Promise<World> {
  const mode = MODES.find(({ name }) => name === 'delegate to Harbor');
  if (!mode) throw new Error('there is no such mode');
  const site = await startAccessSite(owner, mode.start);
  const [edge] = site.edges;
  const from = '127.0.2.1';
  const { address } = await new VirtualAddress(owner, edge.address, from).listen();
  const traffic = new Traffic(owner, { address, authority: site.certificate.authority, from });
  return { site, host: address, image: `${address}/library/open:v1`, during: (act) => traffic.during(edge, act) };
}

const tokens = (seen: readonly Seen[]) => seen.filter(({ kind }) => kind === 'token');
const ways = (seen: readonly Seen[]) => tokens(seen).map(({ method, status }) => `${method} ${status}`);

t.test('logins of every kind', { skip: missing(...CLIENT_TOOLS, 'docker', 'dockerd') }, async (t) => {
  const { site, host, image, during } = await start(t);
  const { bob } = site.primary.users;
  const wrong = { ...bob, password: 'guessed' };
  const { authorityFolder } = site.certificate;
  const docker = await new Docker(t).start();
  const containerd: ContainerClient = await new Containerd(t, authorityFolder).start();
  const stored = storedLogins(t, host, image, authorityFolder);

  const dockerLogin = async (who: ClientUser) => {
    docker.as(host, who);
    return during(() => docker.login());
  };
  const first = await dockerLogin(bob);
  t.equal(first.done.status, 0, first.done.output);
  t.strictSame(ways(first.seen), ['GET 200'], 'docker login asks for an offline token');
  const { auth = '', identitytoken } = docker.kept();
  t.match(identitytoken, /^ey/, 'docker keeps the refresh token');
  t.equal(Buffer.from(auth, 'base64').toString().replace(/\0/g, ''), `${bob.name}:`, 'in place of the password');
  const refused = await dockerLogin(wrong);
  t.match(refused.done.output, /unauthorized: wrong user name or password/);

  const pulls = async (state: string) => {
    docker.as(host, bob);
    const byDocker = await during(() => docker.tryPull(image));
    t.equal(byDocker.done.status, 0, `${state}, docker: ${byDocker.done.output}`);
    t.ok(ways(byDocker.seen).includes('POST 200'), `${state}, docker: by grant_type=refresh_token`);
    containerd.as(host, bob);
    const byContainerd = await during(() => containerd.tryPull(image));
    t.equal(byContainerd.done.status, 0, `${state}, ctr`);
    t.equal(ways(byContainerd.seen)[0], 'POST 200', `${state}, ctr: by grant_type=password, at the first try`);
    for (const [name, { login, pull }] of Object.entries(stored)) {
      const loggedIn = await during(() => login(bob));
      t.equal(loggedIn.done.status, 0, `${state}, ${name} login: ${loggedIn.done.output}`);
      const pulled = await during(pull);
      t.equal(pulled.done.status, 0, `${state}, ${name} with its stored login: ${pulled.done.output}`);
      t.strictSame([...new Set(ways([...loggedIn.seen, ...pulled.seen]))], ['GET 200'], `${state}, ${name}: by GET`);
    }
  };
  await pulls('well');
  for (const [name, { login }] of Object.entries(stored))
    if (name !== 'crane')
      t.match((await login(wrong)).output, /invalid username\/password/, `${name}: a wrong password`);

  await site.primary.fail('down');
  await site.see('down');
  await pulls('down');
  t.match((await dockerLogin(bob)).done.output, /Login Succeeded/, 'who was known logs in anew');
  for (const tried of [
    await dockerLogin(wrong),
    ...(await Promise.all([stored.podman.login(wrong), stored.skopeo.login(wrong)])).map((done) => ({ done })),
  ]) {
    t.not(tried.done.status, 0);
    t.match(tried.done.output, /503/, 'nobody can say');
    t.notMatch(tried.done.output, /invalid username|unauthorized/, 'no password is called wrong');
  }
});

/** Clients that log in once, and read with what they keep; what podman keeps is read by skopeo, which reads the same file. */
function storedLogins(owner: Owner, host: string, image: string, certificates: string) {
  const folder = temporaryFolder(owner);
  const file = (name: string) => join(folder, `${name}.json`);
  const as = ({ name, password }: ClientUser) => ['--username', name, '--password', password, host];
  const env = { PATH: process.env.PATH, HOME: folder, SSL_CERT_FILE: join(certificates, 'ca.crt') };
  const run = (command: string, ...args: string[]): Promise<Finished> => tryCommand(tool(command), args, { env });
  const trust = `--cert-dir=${certificates}`;
  return {
    podman: {
      login: (who: ClientUser) => run('podman', 'login', trust, `--authfile=${file('podman')}`, ...as(who)),
      pull: () => run('skopeo', 'inspect', trust, `--authfile=${file('podman')}`, `docker://${image}`),
    },
    skopeo: {
      login: (who: ClientUser) => run('skopeo', 'login', trust, `--authfile=${file('skopeo')}`, ...as(who)),
      pull: () => run('skopeo', 'inspect', trust, `--authfile=${file('skopeo')}`, `docker://${image}`),
    },
    crane: {
      login: (who: ClientUser) => run('crane', 'auth', 'login', ...as(who)),
      pull: () => run('crane', 'manifest', image),
    },
  };
}
