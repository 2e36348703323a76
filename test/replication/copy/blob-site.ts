import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import { BandwidthLimit } from '../../../src/replication/copy/bandwidth-limit.ts';
import { BlobSource } from '../../../src/replication/copy/blob-source.ts';
import type { RemoteRegistry } from '../../../src/replication/registry/remote-registry.ts';
import { type FrontRule, RegistryFront } from '../../helpers/registry-front.ts';
import { type RemoteOptions, remoteRegistry } from '../../helpers/remote-registry.ts';

export interface BlobSiteOptions {
  lab?: LabRegistryOptions;
  /** What stands before either registry. Default: nothing that is noticed. */
  source?: FrontRule;
  target?: FrontRule;
  remote?: RemoteOptions;
}

/** Two registries of the lab behind fronts that can do anything, and one blob on its way between them. */
export interface BlobSite {
  primary: LabRegistry;
  fallback: LabRegistry;
  source: RemoteRegistry;
  target: RemoteRegistry;
  bytes: Buffer;
  digest: string;
  /** Answers of the source that are still under way. */
  underWay: () => number;
  blob: (more?: { stallMs?: number; size?: number; digest?: string; bandwidth?: BandwidthLimit }) => BlobSource;
  /** What came in all. */
  read: (source: BlobSource) => Promise<Buffer>;
  signal: AbortSignal;
  abort: AbortController;
}

export async function blobSite(t: Test, size: number, options: BlobSiteOptions = {}): Promise<BlobSite> {
  const [primary, fallback] = await Promise.all([startLabRegistry(), startLabRegistry(options.lab)]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const bytes = randomBytes(size);
  primary.store.addBlob('app', bytes);
  let open = 0;
  const watched: FrontRule = async (request, response) => {
    open += 1;
    response.once('close', () => {
      open -= 1;
    });
    return options.source ? options.source(request, response) : 'pass';
  };
  const front = async (rule: FrontRule, { host, port }: LabRegistry) => {
    const started = await new RegistryFront(t, rule).listen();
    started.before(`${host}:${port}`);
    return `http://${started.address}`;
  };
  const source = remoteRegistry(t, 'harbor', await front(watched, primary), options.remote);
  const target = remoteRegistry(
    t,
    'gcr',
    await front(options.target ?? (async () => 'pass'), fallback),
    options.remote,
  );
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  return {
    ...{ primary, fallback, source, target, bytes, digest, abort, signal: abort.signal },
    underWay: () => open,
    blob: (more = {}) => {
      const from = { registry: source, repository: 'app', bandwidth: new BandwidthLimit(0), onBytes: () => undefined };
      return new BlobSource({ ...from, digest, size, ...more });
    },
    read: async (blob) => {
      const pieces: Buffer[] = [];
      for await (const piece of blob.read(0, blob.size, abort.signal)) pieces.push(piece);
      return Buffer.concat(pieces);
    },
  };
}

/** Reads so many bytes of a request, and leaves the rest. */
export async function readSome(request: IncomingMessage, bytes: number): Promise<void> {
  let read = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    read += piece.length;
    if (read >= bytes) return;
  }
}
