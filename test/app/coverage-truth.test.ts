import t from 'tap';
import type { CoverageReport } from '../../src/replication/coverage/report.ts';
import { CLOUD, INNER, startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

t.test(
  'what is said to be covered can be pulled once the primary is dead, and what is said to be missing cannot',
  async (t) => {
    const site = await startLabSite(t, {
      route: {
        pull: [
          { upstream: 'harbor', prefix: INNER },
          { upstream: 'gcr', prefix: CLOUD, replicate: true },
        ],
      },
      // Else what was pulled by digest a moment ago would come out of memory.
      config: { replication: { every: '1s' }, manifests: { memory: 0 } },
    });
    const client = site.edge.http1();
    const digests = new Map<string, string>();
    const pull = async (reference: string) => {
      const reply = await client.ask(`/v2/library/${reference}`);
      return { status: reply.status, digest: reply.headers['docker-content-digest'] };
    };
    // By tag, by a digest that keeps its tag, by one that lost it, and by tags that move after they were pulled.
    for (let number = 0; number < 12; number += 1) {
      const image = `app-${number}`;
      const seed = (content: string, tag = '1') =>
        site.primary.seed(`${INNER}library/${image}`, tag, { blobs: [500], annotations: { content } });
      const { digest: first } = seed('first');
      if (number % 3 === 2) seed('second');
      const reference = number % 3 === 0 ? '1' : first;
      const { status, digest } = await pull(`${image}/manifests/${reference}`);
      t.equal(status, 200);
      digests.set(`library/${image} ${reference}`, String(digest));
      if (number % 6 === 0) digests.set(`library/${image} 1`, seed('moved').digest);
    }
    const broken = site.primary.seed(`${INNER}library/broken`, '1', { blobs: [700] });
    await pull('broken/manifests/1');
    site.primary.store.removeBlob(`${INNER}library/broken`, broken.blobDigests[0] ?? '');
    digests.set('library/broken 1', broken.digest);

    const base = `http://127.0.0.1:${site.edge.app.addresses().admin.port}/api/coverage?pulled=1d`;
    const report = await until(async () => {
      const told = (await (await fetch(base)).json()) as CoverageReport;
      const [route] = told.routes;
      return route?.references === 13 && route.unknown === 0 && route.missing === 1 && route.stale === 0
        ? told
        : undefined;
    });
    const missing = new Set(
      report.routes.flatMap(({ worst }) =>
        worst.flatMap((one) => one.gaps.map(({ reference }) => `${one.repository} ${reference}`)),
      ),
    );
    t.strictSame([...missing], ['library/broken 1']);

    await site.primary.faults.on('down');
    await site.edge.upstream('harbor', 'down');
    for (const [name, digest] of digests) {
      const [repository = '', reference = ''] = name.split(' ');
      const reply = await client.ask(`/v2/${repository}/manifests/${reference}`);
      if (missing.has(name)) t.not(reply.status, 200, name);
      else
        t.match(
          reply,
          { status: 200, headers: { 'docker-content-digest': digest, 'x-breakwater-upstream': 'gcr' } },
          name,
        );
    }
  },
);
