import { setTimeout as delay } from 'node:timers/promises';
import { startEdge } from '../../test/helpers/edge.ts';
import { writeImage } from '../../test/helpers/image.ts';
import { startRegistry } from '../../test/helpers/registry.ts';
import { Skopeo } from '../../test/helpers/skopeo.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import type { Options } from '../options.ts';
import { edgeLauncher } from '../proxies/edge-package.ts';
import { median } from '../report/median.ts';
import { figure, type Section } from '../report/section.ts';
import { atMost } from '../report/target.ts';
import type { Scope } from '../scope.ts';

const MIB = 1_048_576;
/** Milliseconds between two checks of the fallback. */
const LOOK_MS = 5;
const LIMIT_MS = 60_000;

interface Pushed {
  /** Duration of the push in milliseconds; `lag` runs from its end until the fallback has the tag. */
  push: number;
  lag: number;
}

/** Time from a push through the edge until the fallback has the tag and all of the image. */
export async function benchPushLag(scope: Scope, options: Options): Promise<Section> {
  const mib = options.short ? 5 : 50;
  const [primary, fallback] = await Promise.all([startRegistry(scope), startRegistry(scope)]);
  const edge = await startEdge(
    scope,
    {
      upstreams: { harbor: { urls: [primary.url] }, gcr: { urls: [fallback.url] } },
      routes: [
        {
          prefix: '',
          push: 'harbor',
          pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/', replicate: true }],
        },
      ],
    },
    await edgeLauncher(),
  );
  // Copies after this point come from the push alone.
  await edge.waitForLog(/compared the two upstreams/, LIMIT_MS);
  const skopeo = new Skopeo(scope, edge.certificate.authorityFolder);
  const rounds: Pushed[] = [];
  for (let round = 0; round < options.rounds + options.warmUps; round += 1) {
    const image = await writeImage(temporaryFolder(scope), { layers: [mib * MIB] });
    const began = performance.now();
    await skopeo.push(image.folder, `${edge.address}/bench/pushed:v${round}`);
    const ended = performance.now();
    await readable(`${fallback.url}/v2/example-project/bench/pushed/manifests/v${round}`, image.digest);
    if (round >= options.warmUps) rounds.push({ push: ended - began, lag: performance.now() - ended });
  }
  const lag = median(rounds.map((one) => one.lag));
  return {
    title: 'From a push to the fallback',
    about: `skopeo pushes an image with one layer of ${mib} MiB of random bytes through the edge to a docker-registry. The table shows how long after the end of the push another docker-registry has the tag.`,
    columns: ['what', 'push s', 'tag on the fallback after s', 'longest'],
    rows: [
      [
        `${mib} MiB`,
        figure(median(rounds.map(({ push }) => push)) / 1000, 2),
        figure(lag / 1000, 2),
        figure(Math.max(...rounds.map((one) => one.lag)) / 1000, 2),
      ],
    ],
    targets: [atMost({ what: `push of ${mib} MiB to tag on the fallback`, value: lag / 1000, bound: 2, unit: ' s' })],
    data: rounds,
    problems: [],
  };
}

async function readable(url: string, digest: string): Promise<void> {
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  for (const began = performance.now(); performance.now() - began < LIMIT_MS; ) {
    const head = await fetch(url, { method: 'HEAD', headers: { accept } });
    if (head.headers.get('docker-content-digest') === digest) return;
    await delay(LOOK_MS);
  }
  throw new Error(`the tag did not come within ${LIMIT_MS / 1000} s`);
}
