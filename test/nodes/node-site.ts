import { join } from 'node:path';
import { writeCertificate } from '../helpers/certificate.ts';
import { type Edge, startEdge } from '../helpers/edge.ts';
import { writeImage } from '../helpers/image.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';

export const HOSTNAME = 'cr.breakwater.test';
/** Where the fallback keeps every image. */
const CLOUD = 'example-project/';
/** Where the edge has the images of docker.io. */
const HUB = 'hub/';

/** What is pulled: an image of the edge, and one of docker.io through it. */
export const IMAGES = ['own', 'mirrored'] as const;
export type ImageKind = (typeof IMAGES)[number];

/** An edge under a hostname, with an authority of its own, before a primary and a fallback that nodes may reach themselves. */
export interface NodeSite {
  readonly harbor: Registry;
  readonly edge: Edge;
  /** HOST:PORT of the edge, for nodes. */
  readonly host: string;
  /** Options of `breakwater client` for this site. `withPrefix`: the program can pull from a path of the edge. */
  options(withPrefix: boolean, withFallback: boolean): string[];
  /** The name of an image that nobody has pulled yet in this state, as a node has it. */
  image(kind: ImageKind, state: string): string;
}

export async function startNodeSite(owner: Owner, states: readonly string[]): Promise<NodeSite> {
  const [certificate, cloudCertificate] = [await writeCertificate(owner, [HOSTNAME]), await writeCertificate(owner)];
  const [harbor, gcr] = [await startRegistry(owner), await startRegistry(owner, { tls: cloudCertificate })];
  await seed(owner, states, harbor, gcr, cloudCertificate.authorityFolder);
  const edge = await startEdge(owner, {
    hostname: HOSTNAME,
    aliases: ['127.0.0.1', 'localhost'],
    hosts: { nsFallback: true },
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    upstreams: {
      harbor: { urls: [harbor.url], probe: { canary: 'library/canary:latest' } },
      gcr: {
        urls: [gcr.url],
        caFile: join(cloudCertificate.authorityFolder, 'ca.crt'),
        probe: { canary: `${CLOUD}library/canary:latest` },
      },
    },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: CLOUD }] }],
  });
  await edge.waitFor(({ upstreams }) => upstreams.every(({ state }) => state === 'up'), 60_000);
  const host = `${HOSTNAME}:${edge.address.split(':')[1]}`;
  const options = ['--hostname', host, '--ca', join(certificate.authorityFolder, 'ca.crt')];
  const fallback = [
    '--fallback',
    `${gcr.address}/${CLOUD}`,
    '--fallback-ca',
    join(cloudCertificate.authorityFolder, 'ca.crt'),
  ];
  return {
    ...{ harbor, edge, host },
    options: (withPrefix, withFallback) => [
      ...options,
      '--mirror',
      withPrefix ? `docker.io=${HUB}` : 'docker.io',
      ...(withFallback ? fallback : []),
    ],
    image: (kind, state) => `${kind === 'own' ? host : 'docker.io'}/library/app-${state}:v1`,
  };
}

async function seed(
  owner: Owner,
  states: readonly string[],
  harbor: Registry,
  gcr: Registry,
  certificates: string,
): Promise<void> {
  const names = [
    'library/canary:latest',
    ...states.flatMap((state) => [`library/app-${state}:v1`, `${HUB}library/app-${state}:v1`]),
  ];
  for (const name of names) {
    const image = await writeImage(temporaryFolder(owner), { layers: [5000] });
    await new Skopeo(owner).push(image.folder, `${harbor.address}/${name}`);
    await new Skopeo(owner, certificates).push(image.folder, `${gcr.address}/${CLOUD}${name}`);
  }
}
