import t from 'tap';
import { LAB_KINDS } from '../../../src/lab/fault.ts';
import { madeUp } from '../../../src/lab/seed.ts';
import {
  clientRequests,
  type LabSite,
  MANIFEST_TYPE,
  madeUpUser,
  manifestOf,
  pushBlob,
  sha256,
  startLabSite,
} from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

/** As many as real sites have: the probes notice an outage after three of them. */
const PROBES = { interval: '2s', fastInterval: '500ms', fall: 3, timeout: '250ms', settle: '100ms' };
const repository = 'team/new';

/** Pushes an image as clients do: a HEAD of each blob, its upload, and the manifest. Returns the statuses that are not as they should be. */
async function push(site: LabSite, tag: string): Promise<string[]> {
  const client = site.edge.http1();
  const wrong: string[] = [];
  const blobs = [Buffer.from(`{"tag":"${tag}"}`), Buffer.from(`content of ${tag}`)];
  const uploads = blobs.map(async (bytes) => {
    const { status } = await client.ask(`/v2/${repository}/blobs/${sha256(bytes)}`, { method: 'HEAD' });
    if (status !== 404)
      wrong.push(`HEAD ${status} ${site.edge.log.split('\n').findLast((line) => line.includes('HEAD'))}`);
    const pushed = await pushBlob(client, repository, bytes);
    if (pushed.status !== 201) wrong.push(`upload ${pushed.status} ${pushed.body}`);
  });
  await Promise.all(uploads);
  const [config = Buffer.alloc(0), ...rest] = blobs;
  const headers = { 'content-type': MANIFEST_TYPE };
  const put = await client.ask(`/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    body: manifestOf(config, ...rest),
    headers,
  });
  if (put.status !== 201) wrong.push(`manifest ${put.status} ${put.body}`);
  return wrong;
}

/** The tests mostly wait, so they run beside each other. */
const BESIDE = { buffered: true };

t.test('a primary that is slow, or frozen', async (t) => {
  t.jobs = 8;
  for (const ms of [0, 300, 600, 1500]) {
    t.test(
      `each request takes ${ms} ms more, from one moment on: pushes succeed, and the status says so`,
      BESIDE,
      async (t) => {
        const site = await startLabSite(t, { harbor: { probe: PROBES } });
        await site.primary.faults.on('delay', { ms, kind: [...LAB_KINDS] });
        for (const tag of ['1', '2']) {
          t.strictSame(await push(site, tag), [], `push ${tag}`);
          const { upstreams } = site.edge.app.status();
          t.match(
            upstreams.find(({ name }) => name === 'harbor'),
            { state: 'up', pushes: { admitted: true } },
          );
        }
        t.equal(site.fallback.writes, 0);
      },
    );
  }

  t.test(
    'each request takes 5 s: pushes succeed as soon as the status says that they are admitted',
    BESIDE,
    async (t) => {
      const site = await startLabSite(t, { harbor: { probe: PROBES } });
      await site.primary.faults.on('delay', { ms: 5000, kind: [...LAB_KINDS] });
      // The probes have seen how slow the upstream is.
      await until(() => (site.edge.app.status().upstreams[0]?.urls[0]?.probeMs ?? 0) > 4000);
      await site.edge.pushes('harbor', true);
      t.strictSame(await push(site, '1'), []);
      t.match(site.edge.app.status().upstreams[0], { state: 'up', pushes: { admitted: true } });
    },
  );

  t.test('siblings: a slow token service, a slow mount, and a slow commit', BESIDE, async (t) => {
    const auth = { scheme: 'bearer' as const, users: [madeUpUser] };
    const site = await startLabSite(t, {
      primary: { auth },
      harbor: { probe: PROBES, credentials: { username: madeUpUser.username, passwordFile: 'password' } },
      settings: { secrets: { harbor: { password: madeUpUser.password } } },
    });
    await site.primary.faults.on('delay', { ms: 4000, kind: ['token', 'upload'] });
    const client = site.edge.http1();
    const mount = await client.ask(`/v2/team/mounted/blobs/uploads/?mount=${site.blob()}&from=library/app`, {
      method: 'POST',
    });
    t.equal(mount.status, 201, `a mount: ${mount.body}`);
    const bytes = madeUp(100, 3);
    const whole = await client.ask(`/v2/${repository}/blobs/uploads/?digest=${sha256(bytes)}`, {
      method: 'POST',
      body: bytes,
    });
    t.equal(whole.status, 201, `a blob in one request: ${whole.body}`);
  });

  t.test('a primary that freezes: an upload is refused within 10 s, with the reason', BESIDE, async (t) => {
    const site = await startLabSite(t, { harbor: { probe: { ...PROBES, interval: '1h', fastInterval: '1h' } } });
    await site.primary.faults.on('frozen');
    const reply = await site.edge.http1().ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    t.match(reply, { status: 403, complete: true });
    t.match(reply.body.toString(), /DENIED.*pushes are refused since .*its canary has not been read within 9 s/);
    t.ok(reply.headersAfter < timeLimit(10_000), `after ${Math.round(reply.headersAfter)} ms`);
    t.equal(clientRequests(site.fallback).length, 0);
  });

  t.test('a push that waits for a frozen primary is told as soon as the probes know', BESIDE, async (t) => {
    const site = await startLabSite(t, { harbor: { probe: PROBES } });
    await site.primary.faults.on('frozen');
    const reply = await site.edge.http1().ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    t.match(reply, { status: 403, complete: true });
    t.match(reply.body.toString(), /harbor cannot take them \(the probe timed out\)/);
  });

  t.test('the same for a push whose canary was read before the primary froze', BESIDE, async (t) => {
    const site = await startLabSite(t, { harbor: { probe: PROBES, deadlines: { push: '1m' } } });
    await site.primary.faults.on('frozen', { kind: ['upload'] });
    const reply = site.edge.http1().ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    // It is sent once the canary has been read.
    await until(() => site.primary.requests.some(({ method, kind }) => method === 'POST' && kind === 'upload'));
    await site.primary.faults.on('frozen');
    t.match(await reply, { status: 403, complete: true });
    t.match((await reply).body.toString(), /harbor cannot take them \(the probe timed out\)/);
  });
});
