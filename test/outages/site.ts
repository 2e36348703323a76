import { writeCertificate } from '../helpers/certificate.ts';
import type { Finished } from '../helpers/command.ts';
import { type Edge, type EdgeStatus, startEdge } from '../helpers/edge.ts';
import { writeImage } from '../helpers/image.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { findTool } from '../helpers/tool.ts';
import { Helm } from './helm.ts';

const CLOUD = 'example-project/';

/** A primary, its fallback and an edge before both, which has the times that are shipped. */
export interface OutageSite {
  readonly harbor: Registry;
  readonly gcr: Registry;
  readonly edge: Edge;
  /** A folder with the certificate of the edge's authority as `ca.crt`. */
  readonly certificates: string;
}

export async function startOutageSite(owner: Owner, states: readonly string[]): Promise<OutageSite> {
  const [harbor, gcr] = await Promise.all([startRegistry(owner), startRegistry(owner)]);
  const seed = async (name: string, ...places: string[]) => {
    const image = await writeImage(temporaryFolder(owner));
    for (const place of places) await new Skopeo(owner).push(image.folder, `${place}${name}`);
    if (findTool('helm') && name.includes('-'))
      for (const place of places) good(await new Helm(owner).tryPush('', `${place}${name}`));
  };
  const [primary, cloud] = [`${harbor.address}/library/`, `${gcr.address}/${CLOUD}`];
  await seed('canary:latest', primary, cloud);
  // An image of its own for each state: no client has it already.
  for (const state of states) {
    await seed(`app-${state}:v1`, primary, cloud);
    await seed(`new-${state}:v1`, primary);
  }
  const certificate = await writeCertificate(owner);
  const edge = await startEdge(owner, {
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    upstreams: {
      harbor: { urls: [harbor.url], probe: { canary: 'library/canary:latest' } },
      gcr: { urls: [gcr.url], probe: { canary: `${CLOUD}canary:latest` } },
    },
    routes: [
      { prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: CLOUD }] },
    ],
  });
  const site = { harbor, gcr, edge, certificates: certificate.authorityFolder };
  await waitUntilWell(site);
  return site;
}

export async function waitUntilWell({ edge }: OutageSite): Promise<void> {
  const isWell = ({ state, pushes }: EdgeStatus['upstreams'][number]) => state === 'up' && pushes?.admitted !== false;
  await edge.waitFor(({ upstreams }) => upstreams.every(isWell), 60_000);
}

/** Waits until the edge calls these upstreams down. */
export async function waitUntilDown({ edge }: OutageSite, names: readonly string[]): Promise<void> {
  await edge.waitFor(
    ({ upstreams }) => upstreams.every(({ name, state }) => !names.includes(name) || state === 'down'),
    60_000,
  );
}

function good({ status, output }: Finished): void {
  if (status !== 0) throw new Error(output);
}
