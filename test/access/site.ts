import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startArtifactRegistry } from '../helpers/artifact-registry.ts';
import { type CertificateFiles, writeCertificate } from '../helpers/certificate.ts';
import { type Edge, type EdgeStatus, startEdge } from '../helpers/edge.ts';
import { type Image, writeImage } from '../helpers/image.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import type { Primary } from './primary.ts';
import { keyFileOf } from './users.ts';

const CLOUD = 'example-project/';
const TIMES = {
  interval: '500ms',
  fastInterval: '100ms',
  timeout: '2000ms',
  fall: 2,
  holdDown: '1s',
  settle: '500ms',
};

/** Two edges with one key before a registry and its fallback at Artifact Registry, to which they have a key file. */
export class AccessSite {
  readonly primary: Primary;
  readonly edges: readonly [Edge, Edge];
  readonly certificate: CertificateFiles;
  /** `library/open:v1` and `library/closed:v1`, on both registries. */
  readonly images: Record<'open' | 'closed', Image>;
  readonly fallback: Registry;

  constructor(parts: Pick<AccessSite, 'primary' | 'edges' | 'certificate' | 'images' | 'fallback'>) {
    this.primary = parts.primary;
    this.edges = parts.edges;
    this.certificate = parts.certificate;
    this.images = parts.images;
    this.fallback = parts.fallback;
  }

  /** Waits until both edges know how the primary is. */
  async see(state: 'up' | 'down'): Promise<void> {
    const isExpected = ({ upstreams }: EdgeStatus) => {
      const found = upstreams.find(({ name }) => name === 'primary');
      return found?.state === state && found.pushes?.admitted === (state === 'up');
    };
    await Promise.all(this.edges.map((edge) => edge.waitFor(isExpected, 30_000)));
  }

  /** Waits until the second edge has heard of what the first one learnt until now. */
  async share(): Promise<void> {
    const since = Date.now();
    await this.edges[1].waitFor(({ peers }) => peers.every(({ heardAt }) => Date.parse(heardAt ?? '') > since));
  }
}

/** @param start of what decides */
export async function startAccessSite(owner: Owner, start: (owner: Owner) => Promise<Primary>): Promise<AccessSite> {
  const primary = await start(owner);
  const cloud = await startArtifactRegistry(owner, {
    edge: { password: keyFileOf('edge'), may: { [CLOUD]: ['pull', 'push'] } },
  });
  const fallback = await startRegistry(owner);
  cloud.front.before(fallback.address);
  const images = { open: await seed('open'), closed: await seed('closed') };
  // A repository that is pushed to.
  await seed('made');
  await seed('canary', 'latest');
  const certificate = await writeCertificate(owner);
  const folder = temporaryFolder(owner);
  await writeFile(join(folder, 'edge.key'), 'a secret of the edges that is long enough for this test');
  await writeFile(join(folder, 'cloud.json'), `${keyFileOf('edge')}\n`);
  const config = {
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    keyFile: join(folder, 'edge.key'),
    auth: primary.auth,
    upstreams: {
      primary: upstreamOf(primary),
      cloud: {
        urls: [`http://${cloud.front.address}`],
        credentials: { username: '_json_key', passwordFile: join(folder, 'cloud.json') },
        probe: { canary: `${CLOUD}canary:latest`, ...TIMES },
      },
    },
    routes: [
      {
        prefix: 'library/',
        push: 'primary',
        pull: [{ upstream: 'primary' }, { upstream: 'cloud', prefix: CLOUD }],
      },
    ],
  };
  const first = await startEdge(owner, config);
  const edges = [first, await startEdge(owner, { ...config, peers: [first.url] })] as const;
  const site = new AccessSite({ primary, edges, certificate, images, fallback });
  await site.see('up');
  await Promise.all(edges.map((edge) => edge.waitFor(({ upstreams }) => upstreams.every((one) => one.state === 'up'))));
  return site;

  async function seed(name: string, tag = 'v1'): Promise<Image> {
    const image = await writeImage(temporaryFolder(owner), { layers: [2000] });
    const skopeo = new Skopeo(owner);
    skopeo.as(primary.address, primary.pusher);
    await skopeo.push(image.folder, `${primary.address}/library/${name}:${tag}`);
    skopeo.as(fallback.address, undefined);
    await skopeo.push(image.folder, `${fallback.address}/${CLOUD}${name}:${tag}`);
    return image;
  }
}

function upstreamOf({ url, upstream }: Primary): Record<string, unknown> {
  const probe = { canary: 'library/canary:latest', ...TIMES, ...(upstream.probe as object | undefined) };
  // On a busy machine an answer may be late: what the fallback then says beside it is right, but no row of the table.
  return { urls: [url], hedge: { share: 0 }, ...upstream, probe };
}
