import { type EdgeInProcess, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import type { Client, Reply } from '../helpers/http1-client.ts';
import {
  CLOUD,
  INNER,
  type LabSite,
  type LabSiteOptions,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  sha256,
  startLabSite,
} from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

export const ADMIN_TOKEN = 'a token that only the operator has';

/** A site whose fallback is kept in step, deletions included, and compared every second. */
export class LostContentSite {
  readonly owner: Owner;
  readonly lab: LabSite;
  readonly client: Client;

  /** @param authorization the header that the client sends */
  constructor(owner: Owner, lab: LabSite, authorization?: string) {
    this.owner = owner;
    this.lab = lab;
    const client = lab.edge.http1();
    this.client = authorization === undefined ? client : loggedIn(client, authorization);
  }

  /** Pushes an image through the edge, and waits until the fallback has it. @returns its digest */
  async push(image: string, content: string, edge: EdgeInProcess = this.lab.edge): Promise<string> {
    const digest = await this.put(image, content, edge);
    await until(() => this.onFallback(image) === digest, { what: () => `${image} on the fallback` });
    return digest;
  }

  /** Pushes an image through the edge. @returns its digest */
  async put(image: string, content: string, edge: EdgeInProcess = this.lab.edge): Promise<string> {
    const [repository = '', tag = ''] = image.split(':');
    const client = edge === this.lab.edge ? this.client : edge.http1();
    const [blob, config] = [Buffer.from(content), Buffer.from(JSON.stringify({ content }))];
    for (const one of [blob, config]) await pushBlob(client, repository, one);
    const body = manifestOf(config, blob);
    const headers = { 'content-type': MANIFEST_TYPE };
    const put = await client.ask(`/v2/${repository}/manifests/${tag}`, { method: 'PUT', body, headers });
    if (put.status !== 201) throw new Error(`the push of ${image} got ${put.status}: ${put.body}`);
    return sha256(body);
  }

  onFallback(image: string): string | undefined {
    return tagIn(this.lab.fallback.store, CLOUD, image);
  }

  onPrimary(image: string): string | undefined {
    return tagIn(this.lab.primary.store, INNER, image);
  }

  /** Moves a tag in the primary itself, as Harbor's UI does; undefined: deletes it. */
  tag(image: string, digest: string | undefined): void {
    const [repository = '', tag = ''] = image.split(':');
    const { tags } = this.lab.primary.store.repository(INNER + repository);
    if (digest === undefined) tags.delete(tag);
    else tags.set(tag, digest);
  }

  /** Removes a manifest and its tags in the primary itself. */
  remove(image: string, digest: string): void {
    this.lab.primary.store.removeManifest(INNER + image.split(':')[0], digest);
  }

  pull(image: string, edge?: EdgeInProcess): Promise<Reply> {
    const [repository, reference] = image.split(':');
    return (edge?.http1() ?? this.client).ask(`/v2/${repository}/manifests/${reference}`, {
      headers: { accept: EVERY_TYPE },
    });
  }

  /** Waits for comparisons that begin after now. */
  async compared(times = 2): Promise<void> {
    const count = () => this.lab.edge.log.split('compared the two upstreams').length;
    const before = count();
    await until(() => count() >= before + times, { what: () => `comparisons: ${this.lab.edge.log.slice(-2000)}` });
  }

  get lost() {
    return this.lab.edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.lost;
  }

  accept(what: string, edge: EdgeInProcess = this.lab.edge): Promise<{ status: number; body: string }> {
    return edge.adminPost(`/api/accept?what=${encodeURIComponent(what)}`, ADMIN_TOKEN);
  }

  /** Another edge before the same registries, which asks this one. It copies nothing. */
  second(more: Record<string, unknown> = {}): Promise<EdgeInProcess> {
    const { edge, config } = this.lab;
    const peers = [`https://127.0.0.1:${edge.port}`];
    const { certificate } = edge;
    return startEdgeInProcess(
      this.owner,
      { ...config, peers, replication: { when: 'never' }, ...more },
      { key: KEY, adminToken: ADMIN_TOKEN, certificate },
    );
  }
}

const KEY = Buffer.from('a secret that both edges of the site have in a file');
const EVERY_TYPE = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ');

export async function startLostContentSite(
  owner: Owner,
  options: LabSiteOptions = {},
  authorization?: string,
): Promise<LostContentSite> {
  const { config, route, settings, ...rest } = options;
  const lab = await startLabSite(owner, {
    ...rest,
    settings: { key: KEY, adminToken: ADMIN_TOKEN, ...settings },
    route: {
      deletions: 'follow',
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
      ...route,
    },
    config: { keyFile: 'x', adminTokenFile: 'x', replication: { every: '1s' }, ...config },
  });
  return new LostContentSite(owner, lab, authorization);
}

function loggedIn(client: Client, authorization: string): Client {
  const ask: Client['ask'] = (path, { headers, ...more } = {}) =>
    client.ask(path, { ...more, headers: { authorization, ...headers } });
  return { version: client.version, ask, close: () => client.close() };
}

function tagIn(store: LabSite['primary']['store'], prefix: string, image: string): string | undefined {
  const [repository = '', tag = ''] = image.split(':');
  return store.repositories.get(prefix + repository)?.tags.get(tag);
}

/** Texts of the Warning headers. */
export function warnings({ headers }: Reply): string {
  return [headers.warning ?? []].flat().join('\n');
}
