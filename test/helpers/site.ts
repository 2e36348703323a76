import type { ClientUser, ContainerClient } from './container-client.ts';
import { Containerd } from './containerd.ts';
import { Crane } from './crane.ts';
import { type Edge, startEdge } from './edge.ts';
import { HttpsClient } from './https-client.ts';
import { type Image, type ImageOptions, writeImage } from './image.ts';
import { Podman } from './podman.ts';
import { type Registry, type RegistryOptions, startRegistry } from './registry.ts';
import { Skopeo } from './skopeo.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';

/** A site as Breakwater is made for: a primary, a fallback under another prefix, and the edge before both. */
export class Site {
  readonly owner: Owner;
  readonly harbor: Registry;
  readonly gcr: Registry;
  readonly edge: Edge;
  readonly #pusher: ClientUser | undefined;

  constructor(owner: Owner, parts: { harbor: Registry; gcr: Registry; edge: Edge; pusher?: ClientUser | undefined }) {
    this.owner = owner;
    this.harbor = parts.harbor;
    this.gcr = parts.gcr;
    this.edge = parts.edge;
    this.#pusher = parts.pusher;
  }

  /** Puts a new image on both registries, past the edge: `library/NAME` on the primary, `example-project/NAME` on the fallback. */
  async seed(name: string, options?: ImageOptions): Promise<Image> {
    const image = await writeImage(temporaryFolder(this.owner), options);
    const skopeo = new Skopeo(this.owner);
    skopeo.as(this.harbor.address, this.#pusher);
    await skopeo.push(image.folder, `${this.harbor.address}/library/${name}`);
    skopeo.as(this.gcr.address, undefined);
    await skopeo.push(image.folder, `${this.gcr.address}/example-project/${name}`);
    return image;
  }

  /** The name under which clients know an image. */
  image(name: string): string {
    return `${this.edge.address}/library/${name}`;
  }

  /** A plain client, which retries nothing. Gone with the test. */
  client(): HttpsClient {
    const client = new HttpsClient(this.edge.url, this.edge.certificate.authority);
    this.owner.teardown(() => client.close());
    return client;
  }

  /** Every real client of this suite, set up to trust the edge. */
  async clients(): Promise<ContainerClient[]> {
    const { authorityFolder } = this.edge.certificate;
    return [
      new Skopeo(this.owner, authorityFolder),
      new Podman(this.owner, authorityFolder),
      await new Containerd(this.owner, authorityFolder).start(),
      ...(ALL_CLIENTS ? [new Crane(this.owner, authorityFolder)] : []),
    ];
  }
}

/** `npm run test:site` has the client that must be built, too, and real clients in every outage. */
export const ALL_CLIENTS = process.env.TEST_CLIENTS === 'all';

/** What every real program of a site needs, for `missing`. */
export const SITE_TOOLS = ['docker-registry', 'skopeo'];
export const CLIENT_TOOLS = [...SITE_TOOLS, 'podman', 'containerd', 'ctr', ...(ALL_CLIENTS ? ['crane'] : [])];
/** What an outage needs. */
export const OUTAGE_TOOLS = ALL_CLIENTS ? CLIENT_TOOLS : SITE_TOOLS;

/** For `startSite`: the fallback is kept in step, deletions included. */
export const IN_STEP = {
  replication: { every: '1s' },
  routes: [
    {
      prefix: 'library/',
      push: 'harbor',
      deletions: 'follow',
      pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/', replicate: true }],
    },
  ],
};

/**
 * Starts all of it, with a canary on the primary. Times of the prober are shorter than the defaults; all else is as shipped.
 * @param primary adds to the configuration of the upstream `harbor`
 * @param options of the registry behind it, who pushes there, and what starts the edge
 */
export async function startSite(
  owner: Owner,
  config: Record<string, unknown> = {},
  primary: (harbor: Registry) => Promise<Record<string, unknown>> = async () => ({}),
  { registry, pusher, launcher }: { registry?: RegistryOptions; pusher?: ClientUser; launcher?: string } = {},
): Promise<Site> {
  const [harbor, gcr] = await Promise.all([startRegistry(owner, registry), startRegistry(owner)]);
  const canary = await writeImage(temporaryFolder(owner), { layers: [1000] });
  const skopeo = new Skopeo(owner);
  skopeo.as(harbor.address, pusher);
  await skopeo.push(canary.folder, `${harbor.address}/library/canary:latest`);
  // The shipped timeout, twice: two cores run registries, clients and tests at once, and a late probe is no outage.
  const times = { interval: '500ms', fastInterval: '100ms', timeout: '2s', holdDown: '2s', settle: '500ms' };
  const own = await primary(harbor);
  const edge = await startEdge(
    owner,
    {
      upstreams: {
        harbor: {
          urls: [harbor.url],
          ...own,
          probe: { canary: 'library/canary:latest', ...times, ...(own.probe as object | undefined) },
        },
        gcr: { urls: [gcr.url], probe: times },
      },
      routes: [
        {
          prefix: 'library/',
          push: 'harbor',
          pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/' }],
        },
      ],
      ...config,
    },
    launcher,
  );
  await edge.waitFor((status) => isUp(status, 'harbor') && isUp(status, 'gcr'));
  return new Site(owner, { harbor, gcr, edge, pusher });
}

function isUp(status: Awaited<ReturnType<Edge['status']>>, name: string): boolean {
  const found = status.upstreams.find((upstream) => upstream.name === name);
  return found?.state === 'up' && found.pushes?.admitted !== false;
}
