import { writeCertificate } from '../../test/helpers/certificate.ts';
import { type Image, writeImage } from '../../test/helpers/image.ts';
import { type Registry, startRegistry } from '../../test/helpers/registry.ts';
import { Skopeo } from '../../test/helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import type { ProxyName } from '../options.ts';
import type { Contender } from '../proxies/contender.ts';
import { FaultProxy } from '../upstreams/fault-proxy.ts';
import { failoverByCaddy } from './caddy.ts';
import { failoverByEdge } from './edge.ts';
import { CANARY, type FailoverSetup, REPOSITORY } from './failover-setup.ts';
import { failoverByHaproxy } from './haproxy.ts';
import { failoverByNginx } from './nginx.ts';

const STARTERS: Record<ProxyName, (setup: FailoverSetup) => Promise<Contender>> = {
  edge: failoverByEdge,
  nginx: failoverByNginx,
  HAProxy: failoverByHaproxy,
  Caddy: failoverByCaddy,
};

/** Two real registries that hold the same image under different prefixes, and each proxy in front of both. */
export interface OutageSite {
  owner: Owner;
  /** As in `FailoverSetup`. */
  quick: boolean;
  primary: Registry;
  fallback: Registry;
  /** The fault proxy in front of the primary, if any. */
  faultProxy: FaultProxy | undefined;
  image: Image;
  canary: Image;
  contenders: Contender[];
  /** PEM of the CA that signed the certificates of all proxies. */
  authority: string;
}

export interface SiteOptions {
  /** The registries keep blob descriptors in memory. */
  cache: boolean;
  /** Every proxy reaches the primary through a fault proxy of its own. For equal speed, `both` puts one in front of the fallback too. */
  lined: 'none' | 'primary' | 'both';
  quick: boolean;
  proxies: readonly ProxyName[];
}

export async function startOutageSite(
  owner: Owner,
  { cache, lined, quick, proxies }: SiteOptions,
): Promise<OutageSite> {
  const [primary, fallback] = await Promise.all([startRegistry(owner, { cache }), startRegistry(owner, { cache })]);
  const skopeo = new Skopeo(owner);
  const image = await writeImage(temporaryFolder(owner), { layers: [10_000] });
  const canary = await writeImage(temporaryFolder(owner), { layers: [1000] });
  await skopeo.push(image.folder, `${primary.address}/${REPOSITORY}:v1`);
  await skopeo.push(image.folder, `${fallback.address}/example-project/app:v1`);
  await skopeo.push(canary.folder, `${primary.address}/${CANARY}:latest`);
  await skopeo.push(canary.folder, `${fallback.address}/example-project/canary:latest`);

  const certificate = await writeCertificate(owner);
  const contenders: Contender[] = [];
  const startFaultProxy = ({ address }: Registry) => FaultProxy.start(owner, address, proxies.length);
  const faultProxy = lined === 'none' ? undefined : await startFaultProxy(primary);
  const beside = lined === 'both' ? await startFaultProxy(fallback) : undefined;
  for (const [index, proxy] of proxies.entries()) {
    const setup = {
      owner,
      primary: faultProxy?.addresses[index] ?? primary.address,
      fallback: beside?.addresses[index] ?? fallback.address,
      certificate,
      quick,
    };
    contenders.push(await STARTERS[proxy](setup));
  }
  return { owner, quick, primary, fallback, faultProxy, image, canary, contenders, authority: certificate.authority };
}
