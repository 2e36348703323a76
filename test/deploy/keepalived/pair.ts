import { appendFileSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateFiles, writeCertificate } from '../../helpers/certificate.ts';
import { command } from '../../helpers/command.ts';
import type { EdgeStatus } from '../../helpers/edge.ts';
import { type Image, type ImageOptions, writeImage } from '../../helpers/image.ts';
import { root } from '../../helpers/markdown.ts';
import { type Registry, startRegistry } from '../../helpers/registry.ts';
import { Skopeo } from '../../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';
import { ADDRESSES, makeLan } from './network.ts';
import { PairNode, type Side } from './node.ts';

export const HOST = 'cr.example.io';
/** The prefix of the fallback. */
export const CLOUD = 'example-project/';
const DEPLOYED = join(root, 'deploy/keepalived');

/** Two nodes with one VIP, a primary, its fallback, and the network between them. */
export class Pair {
  readonly owner: Owner;
  readonly nodes: Readonly<Record<Side, PairNode>>;
  readonly primary: Registry;
  readonly cloud: Registry;
  readonly certificate: CertificateFiles;

  constructor(parts: Pick<Pair, 'owner' | 'nodes' | 'primary' | 'cloud' | 'certificate'>) {
    this.owner = parts.owner;
    this.nodes = parts.nodes;
    this.primary = parts.primary;
    this.cloud = parts.cloud;
    this.certificate = parts.certificate;
  }

  get both(): PairNode[] {
    return [this.nodes.a, this.nodes.b];
  }

  other(node: PairNode): PairNode {
    return node.side === 'a' ? this.nodes.b : this.nodes.a;
  }

  /** Nodes that have the VIP at this moment. */
  async holders(): Promise<PairNode[]> {
    const held = await Promise.all(this.both.map(async (node) => ((await node.holdsVip()) ? [node] : [])));
    return held.flat();
  }

  /** Waits until one node alone has the VIP. */
  active(timeout = 15_000): Promise<PairNode> {
    return until(
      async () => {
        const [first, ...more] = await this.holders();
        return more.length === 0 && first;
      },
      { timeout, every: 50, what: () => `one holder of the VIP\n${this.story()}` },
    );
  }

  /** Both edges serve, know each other and take pushes; one has the VIP. */
  async well(): Promise<PairNode> {
    const isUp = ({ state, pushes }: EdgeStatus['upstreams'][number]) => state === 'up' && pushes?.admitted !== false;
    const isWell = ({ upstreams, peers }: EdgeStatus) =>
      upstreams.filter(({ name }) => name !== 'slow').every(isUp) && peers.some(({ state }) => state === 'in-step');
    await Promise.all(this.both.map((node) => node.waitFor(isWell)));
    return this.active();
  }

  /** Puts a new image on both registries, past the edges. */
  async seed(name: string, options?: ImageOptions): Promise<Image> {
    const image = await writeImage(temporaryFolder(this.owner), options);
    const skopeo = new Skopeo(this.owner);
    await skopeo.push(image.folder, `${this.primary.address}/library/${name}`);
    await skopeo.push(image.folder, `${this.cloud.address}/${CLOUD}${name}`);
    return image;
  }

  story(): string {
    return this.both.map((node) => node.story()).join('\n');
  }
}

export interface AddedConfig {
  upstreams?: Record<string, unknown>;
  routes?: readonly unknown[];
  [key: string]: unknown;
}

export interface PairOptions {
  /** An empty folder of this run alone. */
  folder: string;
  /** Adds upstreams and routes, and what else the edges have. */
  config?: AddedConfig;
}

/** Starts all of it, in the namespaces of this process. */
export async function startPair(owner: Owner, { folder, config = {} }: PairOptions): Promise<Pair> {
  await makeLan(folder);
  await install();
  const [primary, cloud] = await Promise.all([startRegistry(owner), startRegistry(owner, { host: ADDRESSES.cloud })]);
  const certificate = await writeCertificate(owner, [HOST, ADDRESSES.vip, ADDRESSES.a, ADDRESSES.b]);
  const nodes = { a: new PairNode(owner, 'a'), b: new PairNode(owner, 'b') };
  const pair = new Pair({ owner, nodes, primary, cloud, certificate });
  await pair.seed('canary:latest', { layers: [1000] });
  const keyFile = join(temporaryFolder(owner), 'edge.key');
  writeFileSync(keyFile, 'the key that both edges of the pair have in a file', { mode: 0o600 });
  for (const node of pair.both) {
    await node.boot();
    const { upstreams, routes } = configOf(primary, cloud);
    const more = { upstreams: { ...upstreams, ...config.upstreams }, routes: [...routes, ...(config.routes ?? [])] };
    node.configure(certificate, { ...config, keyFile, ...more });
  }
  await Promise.all(pair.both.map((node) => node.startEdge()));
  for (const node of pair.both) node.startKeepalived();
  await pair.well();
  return pair;
}

function configOf(primary: Registry, cloud: Registry): { upstreams: object; routes: unknown[] } {
  return {
    upstreams: {
      harbor: { urls: [primary.url], probe: { canary: 'library/canary:latest' } },
      gcr: { urls: [cloud.url], probe: { canary: `${CLOUD}canary:latest` } },
    },
    routes: [
      { prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: CLOUD }] },
    ],
  };
}

/** As docs/deploy-pair.md says, but with the addresses of this network. */
async function install(): Promise<void> {
  await command('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', 'keepalived_script']);
  mkdirSync('/etc/keepalived', { recursive: true });
  for (const name of readdirSync(DEPLOYED).filter((name) => name.startsWith('breakwater-')))
    copyFileSync(join(DEPLOYED, name), join('/etc/keepalived', name));
  writeFileSync(
    '/etc/keepalived/keepalived.conf',
    configurationFor(readFileSync(join(DEPLOYED, 'keepalived.conf'), 'utf8')),
  );
  appendFileSync('/etc/hosts', `${ADDRESSES.vip} ${HOST}\n`);
}

/** The file as an operator changes it: the addresses alone. */
export function configurationFor(text: string): string {
  const values = { '192.0.2.10/24': `${ADDRESSES.vip}/24`, '192.0.2.11': ADDRESSES.a, '192.0.2.12': ADDRESSES.b };
  return Object.entries(values).reduce((whole, [from, to]) => whole.replaceAll(from, to), text);
}
