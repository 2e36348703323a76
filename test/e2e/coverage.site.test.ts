import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import type { CoverageReport } from '../../src/replication/coverage/report.ts';
import { tryCommand } from '../helpers/command.ts';
import { writeImage } from '../helpers/image.ts';
import { CLIENT_TOOLS, SITE_TOOLS, startSite } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const BIN = fileURLToPath(new URL('../../bin/breakwater', import.meta.url));
const replication = (when: string, every = '1s') => ({
  routes: [
    {
      prefix: 'library/',
      push: 'harbor',
      pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/', replicate: true }],
    },
  ],
  replication: { every, when },
});

t.test(
  'what real clients pull is counted, and can be pulled without the primary once it is covered',
  { skip: missing(...CLIENT_TOOLS) },
  async (t) => {
    const site = await startSite(t, replication('never'));
    const clients = await site.clients();
    const skopeo = new Skopeo(t);
    const images = new Map<string, string>();
    for (const { name } of clients) {
      const { digest, folder } = await writeImage(temporaryFolder(t), { layers: [40_000 + images.size] });
      await skopeo.push(folder, `${site.harbor.address}/library/app-${name}:v1`);
      images.set(name, digest);
    }
    for (const client of clients)
      t.equal(
        await client.pull(`${site.image(`app-${client.name}`)}:v1`),
        images.get(client.name),
        `${client.name} pulls`,
      );

    const coverage = async (...args: string[]) => {
      const { status, stdout } = await tryCommand(BIN, [
        'coverage',
        '--pulled',
        '1h',
        '--admin',
        site.edge.adminUrl,
        ...args,
      ]);
      return { status, stdout };
    };
    const told = await coverage('--json');
    t.equal(told.status, 1, 'nobody copies yet');
    const report = JSON.parse(told.stdout) as CoverageReport;
    t.match(report, { verdict: 'unknown', active: false });
    const tags = report.routes.flatMap(({ worst }) =>
      worst.flatMap(({ repository, gaps }) => gaps.filter(({ reference }) => reference === 'v1').map(() => repository)),
    );
    t.strictSame(
      tags.sort(),
      [...images.keys()].map((name) => `library/app-${name}`).sort(),
      'by tag, whatever the client asks',
    );

    await site.edge.configure({ ...parse(readFileSync(site.edge.configFile, 'utf8')), ...replication('always') });
    site.edge.signal('SIGHUP');
    await until(async () => (await coverage()).status === 0, { timeout: 60_000, every: 300 });
    await site.harbor.kill();
    for (const client of clients)
      t.equal(
        await client.pull(`${site.image(`app-${client.name}`)}:v1`),
        images.get(client.name),
        `${client.name} still does`,
      );
  },
);

t.test(
  'what was pushed past the edge, and no hook told of, is copied because it was served',
  { skip: missing(...SITE_TOOLS) },
  async (t) => {
    const site = await startSite(t, replication('always', '1h'));
    const [pusher, client] = [new Skopeo(t), new Skopeo(t, site.edge.certificate.authorityFolder)];
    const { folder } = await site.seed('app:v1');
    const coverage = async () => {
      const { status, stdout } = await tryCommand(BIN, [
        ...['coverage', '--pulled', '1h', '--json', '--admin', site.edge.adminUrl],
      ]);
      return { status, report: JSON.parse(stdout) as CoverageReport };
    };
    const compared = async () => (await coverage()).report.routes.every(({ comparedAt }) => comparedAt !== null);
    await until(compared, { timeout: 30_000, every: 300 });
    for (const image of ['app:v2', 'new:v1']) {
      await pusher.push(folder, `${site.harbor.address}/library/${image}`);
      await client.pull(site.image(image));
    }
    await until(async () => (await coverage()).status === 0, { timeout: 30_000, every: 300 });
    await site.harbor.kill();
    for (const image of ['app:v2', 'new:v1'])
      await new Skopeo(t, site.edge.certificate.authorityFolder).pull(site.image(image));
    t.match((await coverage()).report, { verdict: 'covered', routes: [{ gone: 0, missing: 0 }] });
  },
);
