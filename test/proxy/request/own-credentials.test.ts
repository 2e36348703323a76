import bcrypt from 'bcrypt';
import t from 'tap';
import type { LabAuth, LabUser } from '../../../src/lab/access.ts';
import { PROBE, RARE_PROBE } from '../../helpers/edge-in-process.ts';
import { basic, bearer } from '../../helpers/forward-site.ts';
import type { Client } from '../../helpers/http1-client.ts';
import { codeOf, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

const MANIFEST = '/v2/library/app/manifests/1';

/** An edge with users of its own, before registries that want some of theirs; `robot` is the edge's at harbor. */
async function start(owner: Owner, scheme: LabAuth['scheme'], more: { probe?: object; credentials?: unknown } = {}) {
  const robot: LabUser = { username: 'robot', password: 'right-s3cret' };
  const probe: LabUser = { username: 'probe', password: 'pr0be-secret' };
  const site = await startLabSite(owner, {
    primary: { auth: { scheme, users: [robot, probe] } },
    harbor: {
      credentials: more.credentials ?? { username: 'robot', passwordFile: 'x' },
      probe: { ...PROBE, credentials: { username: 'probe', passwordFile: 'x' }, ...more.probe },
    },
    settings: {
      secrets: { harbor: { password: 'right-s3cret', probePassword: 'pr0be-secret' } },
      users: { ann: await bcrypt.hash('a', 4) },
    },
    config: { auth: { mode: 'htpasswd', htpasswdFile: 'x', access: { '*': ['** pull,push,delete'] } } },
  });
  const client = site.edge.http1();
  const tokenFor = async (actions: string) => {
    const query = `service=edge.test&scope=repository:library/app:${actions}`;
    return bearer(await client.ask(`/auth/token?${query}`, { headers: { authorization: basic('ann', 'a') } }));
  };
  // What is read with a token for a push is read from the push upstream alone.
  const [reading, writing] = [await tokenFor('pull'), await tokenFor('pull,push,delete')];
  const ask = (path: string, method = 'GET') => {
    const authorization = method === 'GET' || method === 'HEAD' ? reading : writing;
    return client.ask(path, { method, headers: { authorization } });
  };
  return { site, robot, ask };
}

type Ask = (path: string, method?: string) => ReturnType<Client['ask']>;

const credentialsAt = ({ edge }: LabSite) =>
  edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.credentials;
const metric = async ({ edge }: LabSite) =>
  /^breakwater_credentials_good\{upstream="harbor",account="own"\} (\d)$/m.exec(
    (await edge.admin('/metrics')).body,
  )?.[1];

/** No client must learn of it by a 401: its own credentials are fine. */
async function pullsFromFallback(t: Tap, site: LabSite, ask: Ask, heads = true): Promise<void> {
  const paths = [MANIFEST, `/v2/library/app/blobs/${site.blob()}`, '/v2/library/app/tags/list', '/v2/_catalog'];
  for (const path of paths) {
    t.match(await ask(path), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, path);
    if (heads && path !== '/v2/_catalog') t.equal((await ask(path, 'HEAD')).status, 200, `HEAD ${path}`);
  }
}

type Tap = typeof t;

for (const scheme of ['basic', 'bearer'] as const) {
  t.test(
    `a key that is revoked is found before any client meets it, and when it works again (${scheme})`,
    async (t) => {
      const { site, robot, ask } = await start(t, scheme);
      t.match(credentialsAt(site), { state: 'good', checkedAt: /^\d{4}-/ });
      t.equal(await metric(site), '1');
      robot.password = 'another';
      await until(() => credentialsAt(site)?.state === 'refused');
      t.match(credentialsAt(site), { since: /^\d{4}-/, reason: /answers 401/ });
      t.equal(await metric(site), '0');
      t.match(site.edge.app.status().headline, {
        level: 'degraded',
        text: /harbor has refused this edge's credentials since .* \(.*answers 401\)\./,
      });
      t.match(site.edge.log, /"level":50[^\n]*"upstream":"harbor"[^\n]*refuses the edge's credentials/);
      t.equal(site.edge.requests.filter(({ kind }) => kind === 'manifest').length, 0, 'no client was there');
      await pullsFromFallback(t as Tap, site, ask);
      const push = await ask('/v2/library/app/blobs/uploads/', 'POST');
      t.match({ status: push.status, code: codeOf(push) }, { status: 403, code: 'DENIED' });
      t.match(push.body.toString(), /refuses the edge.s credentials/);

      robot.password = 'right-s3cret';
      await until(() => credentialsAt(site)?.state === 'good');
      t.equal(await metric(site), '1');
      t.equal(site.edge.app.status().headline.level, 'well');
      t.match(site.edge.log, /accepts the edge's credentials again/);
      await until(async () => (await ask(MANIFEST)).headers['x-breakwater-upstream'] === 'harbor');
      await site.edge.pushes('harbor', true);
      t.notMatch(site.edge.log, /s3cret/);
    },
  );

  t.test(`a key that may not read one repository is told while it is met, and no client is (${scheme})`, async (t) => {
    const { site, robot, ask } = await start(t, scheme);
    robot.repositories = ['elsewhere'];
    t.match(await ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    t.match(credentialsAt(site), { state: 'refused', reason: /it answers 40[13]/ });
    t.equal(await metric(site), '0');
    await site.edge.pushes('harbor', true);
    t.pass('what else it opens goes on');
  });

  t.test(`an upstream that wants credentials, and gets none (${scheme})`, async (t) => {
    const { site, ask } = await start(t, scheme, { credentials: 'none' });
    t.equal(credentialsAt(site), undefined, 'there are none to be checked');
    // The push upstream, which nothing else tells to be unable to take pushes, alone may say that a blob is there.
    await pullsFromFallback(t as Tap, site, ask, false);
    t.equal((await ask(`/v2/library/app/blobs/${site.blob()}`, 'HEAD')).status, 503);
    t.match(credentialsAt(site), { state: 'refused', reason: /it answers 401/ });
    t.match(site.edge.log, /refuses the edge's credentials/);
    await site.fallback.faults.on('down');
    const gone = await ask(MANIFEST);
    t.match({ status: gone.status, code: codeOf(gone) }, { status: 503, code: 'UNAVAILABLE' });
    for (const [method, path] of [
      ['POST', '/v2/library/app/blobs/uploads/'],
      ['DELETE', MANIFEST],
    ] as const) {
      const write = await ask(path, method);
      t.match({ status: write.status, code: codeOf(write) }, { status: 403, code: 'DENIED' }, method);
      t.equal(write.headers['www-authenticate'], undefined, method);
    }
  });
}

t.test('a probe that is rare makes checks rare; a reload with another key ends it at once', async (t) => {
  const { site, robot, ask } = await start(t, 'basic', { probe: RARE_PROBE });
  robot.password = 'another';
  t.match(await ask(MANIFEST), { headers: { 'x-breakwater-upstream': 'gcr' } });
  t.match(credentialsAt(site), { state: 'refused' }, 'met by a client first');
  await site.edge.reload(site.config, {
    secrets: { harbor: { password: 'another', probePassword: 'pr0be-secret' } },
  });
  t.match(credentialsAt(site), { state: 'good', checkedAt: /^\d{4}-/ });
  t.match(await ask(MANIFEST), { headers: { 'x-breakwater-upstream': 'harbor' } });
});
