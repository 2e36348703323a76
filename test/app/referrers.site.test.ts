import t, { type Test } from 'tap';
import { CLOUD, INNER, type LabSite, startLabSite } from '../helpers/lab-site.ts';
import { entriesOf, ReferrersClient, type Subject } from '../helpers/referrers-client.ts';
import { until } from '../helpers/until.ts';

// What is attached to an image is listed in an outage as before, whichever registry has the referrers API.

function start(t: Test, primary: boolean, fallback: boolean, more: { route?: object } = {}): Promise<LabSite> {
  return startLabSite(t, {
    primary: { referrers: primary },
    fallback: { referrers: fallback },
    route: {
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
      ...more.route,
    },
    config: { replication: { every: '1s' } },
  });
}

const subjectOf = ({ image }: LabSite): Subject => ({ digest: image.digest, size: image.manifest.length });

/** Waits until all of it is on the fallback, the index too where clients keep one. */
function copied({ primary, fallback, image }: LabSite, digests: readonly string[]): Promise<unknown> {
  const tag = image.digest.replace(':', '-');
  const here = primary.store.repository(`${INNER}library/app`).tags.get(tag);
  const there = fallback.store.repository(`${CLOUD}library/app`);
  return until(
    () => digests.every((one) => there.manifests.has(one)) && (here === undefined || there.tags.get(tag) === here),
    { what: () => 'the fallback to have what was attached' },
  );
}

/** Waits until the edge knows whether the primary has the API. */
function knows(site: LabSite, support: string): Promise<unknown> {
  return until(() => site.edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.referrers === support, {
    what: () => `the edge to know: ${support}`,
  });
}

async function outage(site: LabSite): Promise<void> {
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
}

async function recovery(site: LabSite): Promise<void> {
  await site.primary.faults.off('down');
  await site.edge.pushes('harbor', true);
}

for (const primary of [true, false])
  for (const fallback of [true, false]) {
    const has = (one: boolean) => (one ? 'with' : 'without');
    t.test(`a primary ${has(primary)} the API, a fallback ${has(fallback)}`, async (t) => {
      const site = await start(t, primary, fallback);
      const client = new ReferrersClient(site.edge.http1(), 'library/app');
      const subject = subjectOf(site);
      const expected: string[] = [];
      for (const round of [1, 2]) {
        for (const type of [`a/sbom${round}`, `a/signature${round}`])
          expected.push((await client.attach(subject, type)).digest);
        expected.sort();
        t.strictSame(await client.list(subject), expected, `before outage ${round}`);
        await copied(site, expected);
        await knows(site, primary ? 'has' : 'lacks');
        await outage(site);
        t.strictSame(await client.list(subject), expected, `in outage ${round}`);
        const some = await client.ask(subject, `?artifactType=a/sbom${round}`);
        t.equal(some.status, 200);
        t.equal(some.headers['oci-filters-applied'], 'artifactType');
        t.strictSame(
          entriesOf(some).map(({ artifactType }) => artifactType),
          [`a/sbom${round}`],
        );
        await t.rejects(client.attach(subject, 'a/refused'), /got 403/, 'pushes are refused');
        const other = await client.ask({ digest: `sha256:${'1'.repeat(64)}` });
        t.equal(other.status, primary ? 200 : 404, 'nothing refers to it');
        if (primary) t.strictSame(entriesOf(other), []);
        await recovery(site);
        t.strictSame(await client.list(subject), expected, `after outage ${round}`);
      }
    });
  }
