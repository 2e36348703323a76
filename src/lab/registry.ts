import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Access, type LabAuth } from './access.ts';
import { readEndpoint } from './endpoint.ts';
import { LabError } from './error.ts';
import { Exchange, type LabBehaviour } from './exchange.ts';
import type { FaultName } from './fault.ts';
import { type LabRequest, Recorder } from './recorder.ts';
import { type Seed, type Seeded, seedImage } from './seed.ts';
import { serve } from './serve.ts';
import { Store } from './store.ts';
import { FaultSwitches } from './switches.ts';

export interface LabRegistryOptions extends Partial<LabBehaviour> {
  /** Default 0: any. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** PEM; plain HTTP without it. */
  tls?: { cert: string; key: string };
  auth?: LabAuth;
  /** Harbor's API, page and token path beside the registry. */
  harbor?: boolean;
  /** Room for everything that is kept. Default 1 GiB. */
  maxBytes?: number;
  /** Requests that are remembered. Default 1000. */
  maxRequests?: number;
}

/** A registry in memory: the whole of the distribution-spec, and faults at a switch. */
export class LabRegistry {
  readonly store: Store;
  readonly faults: FaultSwitches;
  readonly #server: Server;
  readonly #recorder: Recorder;
  readonly #access: Access;
  readonly #behaviour: LabBehaviour;
  readonly #options: LabRegistryOptions;
  #port: number;
  /** What a registry finds, and writes to, when its storage is not mounted. */
  #mountPoint: Store;

  constructor(options: LabRegistryOptions) {
    this.#options = options;
    this.store = new Store(options.maxBytes ?? 1024 ** 3);
    this.#mountPoint = new Store(this.store.maxBytes);
    this.faults = new FaultSwitches((name, on) => this.#switched(name, on));
    this.#recorder = new Recorder(options.maxRequests ?? 1000);
    this.#access = new Access(options.auth && authOf(options.auth, options.harbor ?? false));
    this.#behaviour = {
      locations: options.locations ?? 'relative',
      uploads: options.uploads ?? 'registry',
      downloads: options.downloads ?? 'direct',
      redirectTo: options.redirectTo,
      pageSize: options.pageSize ?? 1000,
      maxManifestBytes: options.maxManifestBytes ?? 4 * 1024 ** 2,
    };
    this.#port = options.port ?? 0;
    this.#server = this.#makeServer();
  }

  get host(): string {
    return this.#options.host ?? '127.0.0.1';
  }

  /** Stays the same while it is down. */
  get port(): number {
    return this.#port;
  }

  get url(): string {
    const host = this.host.includes(':') ? `[${this.host}]` : this.host;
    return `${this.#options.tls ? 'https' : 'http'}://${host}:${this.#port}`;
  }

  /** The last requests, oldest first. */
  get requests(): readonly LabRequest[] {
    return this.#recorder.requests;
  }

  /** Requests that were neither GET nor HEAD, since the start or the last `forget`. */
  get writes(): number {
    return this.#recorder.writes;
  }

  /** Forgets the requests and the count of writes. */
  forget(): void {
    this.#recorder.clear();
  }

  /** Puts an image in, without a request. */
  seed(repository: string, tag: string, image: Seed): Seeded {
    return seedImage(this.store, repository, tag, image);
  }

  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(this.#port, this.host, () => resolve());
    await promise.finally(() => this.#server.off('error', reject));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await this.#shut();
    if (this.faults.isOn('down')) return;
    await this.faults.off();
  }

  async #shut(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #switched(name: FaultName, on: boolean): Promise<void> {
    if (name === 'storageGone') this.#mountPoint = new Store(this.store.maxBytes);
    if (name === 'down') await (on ? this.#shut() : this.listen());
  }

  #makeServer(): Server {
    const { tls } = this.#options;
    const limits = { requestTimeout: 0, headersTimeout: 20_000, keepAliveTimeout: 75_000, maxHeaderSize: 65_536 };
    const server = tls ? createTlsServer({ ...tls, ...limits }) : createServer(limits);
    const listener = (req: IncomingMessage, res: ServerResponse) => void this.#answer(req, res);
    server.on('request', listener);
    // Not answered by Node: a frozen registry does not say 100 Continue either.
    server.on('checkContinue', listener);
    return server;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const [path = '', search = ''] = (req.url ?? '').split('?', 2);
    const query = new URLSearchParams(search);
    const endpoint = readEndpoint(req.method ?? '', path, query, this.#access.tokenPath);
    this.#recorder.add(req, res, endpoint.kind);
    const subject = { kind: endpoint.kind, url: req.url ?? '' };
    const lab = { store: this.store, behaviour: this.#behaviour, faults: this.faults };
    const exchange = new Exchange({ req, res }, lab, subject);
    const storageOf = (real: Exchange) =>
      real.takeFault('storageGone') ? new Exchange({ req, res }, { ...lab, store: this.#mountPoint }, subject) : real;
    const site = { access: this.#access, harbor: this.#options.harbor ?? false };
    if (path.startsWith('/v2')) res.setHeader('docker-distribution-api-version', 'registry/2.0');
    // The other side may go at any moment; that ends the exchange, and nothing else.
    req.on('error', () => res.destroy());
    res.on('error', () => res.destroy());
    try {
      await serve(site, exchange, endpoint, path, query, storageOf);
    } catch (error) {
      if (exchange.gone || res.headersSent) return void res.destroy();
      exchange.fail(LabError.from(error) ?? new LabError(500, 'UNKNOWN', `mistake in the lab: ${String(error)}`));
    }
  }
}

function authOf(auth: LabAuth, harbor: boolean): LabAuth {
  return harbor ? { tokenPath: '/service/token', service: 'harbor-registry', basicToo: true, ...auth } : auth;
}

/** Starts a registry; it listens once this resolves. */
export async function startLabRegistry(options: LabRegistryOptions = {}): Promise<LabRegistry> {
  const registry = new LabRegistry(options);
  await registry.listen();
  return registry;
}
