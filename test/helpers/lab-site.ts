import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type LabRegistry,
  type LabRegistryOptions,
  type LabRequest,
  startLabRegistry,
} from '../../src/lab/registry.ts';
import type { Seeded } from '../../src/lab/seed.ts';
import { type EdgeInProcess, type EdgeSettings, PROBE, startEdgeInProcess } from './edge-in-process.ts';
import type { Client, Reply } from './http1-client.ts';
import type { Owner } from './temporary-folder.ts';
import { timeLimit } from './time-limit.ts';

/** Prefixes on the upstreams; no client must ever see them. */
export const INNER = 'inner/';
export const CLOUD = 'cloud-project/';
export const IMAGE = { blobs: [300_000, 1000] };

export interface LabSiteOptions {
  primary?: LabRegistryOptions;
  fallback?: LabRegistryOptions;
  /** Adds to the configuration of the upstream `harbor`; `probe` adds to its probe. */
  harbor?: Record<string, unknown>;
  gcr?: Record<string, unknown>;
  /** Adds to the one route. */
  route?: Record<string, unknown>;
  /** Whether the upstreams have canaries. Default true. */
  canary?: boolean;
  /** Adds to, or replaces, the top level. */
  config?: Record<string, unknown>;
  settings?: EdgeSettings;
}

/** An edge before two registries of the lab: `harbor`, which takes pushes, and `gcr`, its fallback; an image is on both. */
export class LabSite {
  readonly primary: LabRegistry;
  readonly fallback: LabRegistry;
  /** `library/app:1` to clients. */
  readonly image: Seeded;
  readonly edge: EdgeInProcess;
  readonly config: Record<string, unknown>;

  constructor(primary: LabRegistry, fallback: LabRegistry, image: Seeded, edge: EdgeInProcess, config: object) {
    this.primary = primary;
    this.fallback = fallback;
    this.image = image;
    this.edge = edge;
    this.config = { ...config };
  }

  /** What is of the upstreams only. */
  get secretWords(): string[] {
    const words = [INNER.slice(0, -1), CLOUD.slice(0, -1)];
    return [...words, ...[this.primary, this.fallback].map(({ host, port }) => `${host}:${port}`)];
  }

  /** A word of the upstreams that a reply shows, in headers or body; undefined if there is none. */
  leak({ headers, body }: Reply): string | undefined {
    const text = `${JSON.stringify(headers)}\n${body.toString('latin1')}`;
    return this.secretWords.find((word) => text.includes(word));
  }

  blob(index = 0): string {
    return this.image.blobDigests[index] ?? '';
  }
}

export async function startLabSite(owner: Owner, options: LabSiteOptions = {}): Promise<LabSite> {
  const [primary, fallback] = await Promise.all([
    startLabRegistry(options.primary),
    startLabRegistry(options.fallback),
  ]);
  owner.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const image = primary.seed(`${INNER}library/app`, '1', IMAGE);
  fallback.seed(`${CLOUD}library/app`, '1', IMAGE);
  primary.seed('canary', 'latest', { blobs: [64] });
  fallback.seed('canary', 'latest', { blobs: [64] });
  const canary = (options.canary ?? true) ? { canary: 'canary:latest' } : {};
  const upstream = (url: string, { probe = {}, ...more }: Record<string, unknown> = {}) => ({
    urls: [url],
    probe: { ...PROBE, ...canary, ...(probe as object) },
    ...more,
  });
  const config = {
    upstreams: { harbor: upstream(primary.url, options.harbor), gcr: upstream(fallback.url, options.gcr) },
    routes: [
      {
        prefix: '',
        push: 'harbor',
        pull: [
          { upstream: 'harbor', prefix: INNER },
          { upstream: 'gcr', prefix: CLOUD },
        ],
        ...options.route,
      },
    ],
    ...options.config,
  };
  const edge = await startEdgeInProcess(owner, config, options.settings);
  return new LabSite(primary, fallback, image, edge, config);
}

/** What clients caused at a registry: neither probes and their looks for content, nor canary reads. */
export function clientRequests(registry: LabRegistry): LabRequest[] {
  return registry.requests.filter(
    ({ kind, url }) =>
      kind !== 'ping' && kind !== 'api' && !url.startsWith('/v2/canary/') && url !== '/v2/_catalog?n=1',
  );
}

export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * Pushes a blob by POST and PUT. Resolves with the last reply. The edge refuses an upload when its probes call the upstream down,
 * whatever `TEST_PATIENCE` is. On a busy machine that is no outage, and the push is tried again.
 */
export async function pushBlob(client: Client, repository: string, bytes: Buffer): Promise<Reply> {
  const begin = () => client.ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const lastTry = performance.now() + 2000 * (timeLimit(1) - 1);
  let begun = await begin();
  while (isRefused(begun) && performance.now() < lastTry) {
    await delay(200);
    begun = await begin();
  }
  if (begun.status !== 202) return begun;
  const headers = { 'content-type': 'application/octet-stream' };
  return client.ask(`${begun.headers.location}?digest=${sha256(bytes)}`, { method: 'PUT', body: bytes, headers });
}

function isRefused({ status, body }: Reply): boolean {
  return status === 403 && body.includes('pushes are refused since');
}

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** A manifest of blobs that must be there already. */
export function manifestOf(config: Buffer, ...layers: Buffer[]): Buffer {
  const descriptor = (mediaType: string) => (bytes: Buffer) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptor('application/vnd.oci.image.config.v1+json')(config),
      layers: layers.map(descriptor('application/vnd.oci.image.layer.v1.tar')),
    }),
  );
}

/** The code of an OCI error body. */
export function codeOf({ body }: Reply): string {
  const parsed: { errors?: { code?: string }[] } = JSON.parse(body.toString());
  return parsed.errors?.[0]?.code ?? '';
}

/** A user for registries that want one. */
export const madeUpUser = { username: 'robot$edge', password: 'correct h0rse:battery' };
