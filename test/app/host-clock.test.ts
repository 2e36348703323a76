import t from 'tap';
import { CLOCK_STEPS, setHostClock } from '../helpers/host-clock.ts';
import { CLOUD, INNER, type LabSite, startLabSite } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

const HOLD_DOWN = 500;
const SETTLE = 500;
/** The states below last this long at least, as far as a test that looks every 20 ms can tell. */
const AT_LEAST = 300;
const USUAL = 5000;

function start(owner: Owner): Promise<LabSite> {
  return startLabSite(owner, {
    harbor: { probe: { rise: 3, holdDown: `${HOLD_DOWN}ms`, settle: `${SETTLE}ms` } },
    route: {
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
    },
    config: { replication: { every: '1s' } },
  });
}

function pushesOf({ edge }: LabSite) {
  return edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.pushes;
}

async function goDown({ edge, primary }: LabSite): Promise<void> {
  await primary.faults.on('down');
  await edge.upstream('harbor', 'down');
}

for (const [name, step] of Object.entries(CLOCK_STEPS))
  t.test(`the clock of the host is set ${name}`, async (t) => {
    const site = await start(t);
    const { edge, primary, fallback } = site;
    const client = edge.http1();
    const pull = () => client.ask('/v2/library/app/manifests/1');
    const set = setHostClock(t, 0);

    await t.test('while all is well', async (t) => {
      t.match(await pull(), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
      const comparedAt = () => edge.app.status().replication?.routes[0]?.coverage.comparedAt ?? undefined;
      await until(comparedAt, { what: () => 'the first comparison' });
      set(step);
      t.match(await pull(), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
      t.match(pushesOf(site), { mode: 'accepting' });
      const { digest } = primary.seed(`${INNER}library/later`, '1', { blobs: [100] });
      const tags = () => fallback.store.repository(`${CLOUD}library/later`).tags;
      await until(() => tags().get('1') === digest, { what: () => 'the next comparison, a second later' });
      set(-step);
      // Until the copy is noted, the gap is known.
      const isWell = () => edge.app.status().headline.level === 'well';
      await until(isWell, { what: () => `all is well: ${edge.app.status().headline.text}` });
    });

    await t.test('while the primary is down', async (t) => {
      await goDown(site);
      set(step);
      const served = await pull();
      t.match(served, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
      t.notMatch(served.headers.warning, /older|newer|has not had/, 'the ledger still knows the tag');
      t.strictSame(edge.app.status().tagWarnings, []);
      const refused = await client.ask('/v2/library/app/blobs/uploads/', { method: 'POST' });
      t.equal(refused.status, 403);
      const [, since = ''] = /since (\S+):/.exec(refused.body.toString()) ?? [];
      t.ok(
        Math.abs(Date.now() - Date.parse(since)) < timeLimit(60_000),
        `refused since ${since}, by the clock as it is`,
      );
      t.ok(Math.abs(Date.now() - Date.parse(pushesOf(site)?.since ?? '')) < timeLimit(60_000), 'the status too');
      const began = performance.now();
      await primary.faults.off();
      await edge.upstream('harbor', 'up');
      await edge.pushes('harbor', true);
      t.ok(performance.now() - began < timeLimit(USUAL), 'up and accepting as soon as ever');
      set(-step);
    });

    await t.test('while the primary is held down and recovers', async (t) => {
      await goDown(site);
      const began = performance.now();
      await primary.faults.off();
      set(step);
      await edge.upstream('harbor', 'up');
      const took = performance.now() - began;
      t.ok(took >= AT_LEAST, `not before its time: ${took} ms`);
      t.ok(took < timeLimit(USUAL), `nor long after: ${took} ms`);
      set(-step);
      await edge.pushes('harbor', true);
    });

    await t.test('while pushes settle', async (t) => {
      await goDown(site);
      await primary.faults.off();
      await until(() => pushesOf(site)?.mode === 'settling');
      const began = performance.now();
      set(step);
      await edge.pushes('harbor', true);
      const took = performance.now() - began;
      t.ok(took >= AT_LEAST, `not before its time: ${took} ms`);
      t.ok(took < timeLimit(USUAL), `nor long after: ${took} ms`);
    });
  });
