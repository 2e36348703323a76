import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Access, type LabAuth } from './access.ts';
import { readEndpoint } from './endpoint.ts';
import { LabError } from './error.ts';
import { Exchange, type LabBehaviour } from './exchange.ts';
import type { FaultName, LabKind } from './fault.ts';
import { type Seed, type Seeded, seedImage } from './seed.ts';
import { type Site, serve } from './serve.ts';
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

/** One request as it came. */
export interface LabRequest {
  method: string;
  /** Path and query as sent. */
  url: string;
  kind: LabKind;
  /** Names in lower case, as Node reads them. */
  headers: IncomingMessage['headers'];
  /** 0 while unanswered, and for ever if the client left or the registry fell silent first. */
  status: number;
}

/** A row of Harbor's audit log. */
export interface LabAuditRow {
  operation: 'pull' | 'create' | 'delete';
  /** Path of the manifest. */
  resource: string;
}

const AUDITED: Partial<Record<string, LabAuditRow['operation']>> = { GET: 'pull', PUT: 'create', DELETE: 'delete' };

const HARBOR_AUTH = { tokenPath: '/service/token', service: 'harbor-registry', basicToo: true, asHarbor: true };

const USUAL: LabBehaviour = {
  locations: 'relative',
  uploads: 'registry',
  downloads: 'direct',
  pageSize: 1000,
  referrers: true,
};

/** A registry in memory: the whole of the distribution-spec, and faults at a switch. */
export class LabRegistry {
  readonly store: Store;
  readonly faults: FaultSwitches;
  /** The last requests, oldest first. */
  requests: LabRequest[] = [];
  /** Harbor: what its audit log has of manifests, oldest first. A HEAD of a manifest and a read of a blob make no row. */
  auditLog: LabAuditRow[] = [];
  /** Requests that were neither GET nor HEAD, since the start or the last `forget`. */
  writes = 0;
  readonly #server: Server;
  readonly #site: Site;
  readonly #behaviour: LabBehaviour;
  readonly #options: LabRegistryOptions;
  #port: number;

  constructor(options: LabRegistryOptions) {
    this.#options = options;
    this.store = new Store(options.maxBytes ?? 1024 ** 3);
    const harbor = options.harbor ?? false;
    const access = new Access(options.auth && { ...(harbor ? HARBOR_AUTH : {}), ...options.auth });
    this.#site = { access, harbor, mountPoint: new Store(this.store.maxBytes) };
    this.faults = new FaultSwitches((name, on) => this.#switched(name, on));
    this.#behaviour = { ...USUAL, ...options };
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

  /** Forgets the requests and the count of writes. */
  forget(): void {
    this.requests = [];
    this.auditLog = [];
    this.writes = 0;
  }

  /** Puts an image in, without a request. */
  seed(repository: string, tag: string, image: Seed): Seeded {
    return seedImage(this.store, repository, tag, image);
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, this.host);
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await this.#shut();
    if (!this.faults.isOn('down')) await this.faults.off();
  }

  async #shut(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #switched(name: FaultName, on: boolean): Promise<void> {
    if (name === 'storageGone') this.#site.mountPoint = new Store(this.store.maxBytes);
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

  #record(req: IncomingMessage, res: ServerResponse, kind: LabKind): void {
    const { method = '', url = '', headers } = req;
    const request = { method, url, kind, headers, status: 0 };
    if (!['GET', 'HEAD'].includes(method)) this.writes += 1;
    this.requests.push(request);
    if (this.requests.length > (this.#options.maxRequests ?? 1000)) this.requests.shift();
    for (const event of ['finish', 'close'])
      res.once(event, () => {
        if (res.headersSent) request.status = res.statusCode;
      });
    res.once('finish', () => this.#audit(request));
  }

  #audit({ method, url, kind, status }: LabRequest): void {
    const operation = AUDITED[method];
    if (!this.#site.harbor || kind !== 'manifest' || operation === undefined || status < 200 || status >= 300) return;
    this.auditLog.push({ operation, resource: url });
    if (this.auditLog.length > (this.#options.maxRequests ?? 1000)) this.auditLog.shift();
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const [path = '', search = ''] = (req.url ?? '').split('?', 2);
    const query = new URLSearchParams(search);
    const endpoint = readEndpoint(req.method ?? '', path, query, this.#site.access.tokenPath);
    const { kind } = endpoint;
    this.#record(req, res, kind);
    const { store, faults } = this;
    const exchange = new Exchange({ req, res, path, query, kind, store, faults, behaviour: this.#behaviour });
    if (path.startsWith('/v2')) res.setHeader('docker-distribution-api-version', 'registry/2.0');
    // The other side may go at any moment; that ends the exchange, and nothing else.
    req.on('error', () => res.destroy());
    res.on('error', () => res.destroy());
    try {
      await serve(this.#site, exchange, endpoint);
    } catch (error) {
      if (exchange.gone || res.headersSent) return void res.destroy();
      exchange.fail(LabError.from(error) ?? new LabError(500, 'UNKNOWN', `mistake in the lab: ${String(error)}`));
    }
  }
}

/** Starts a registry; it listens once this resolves. */
export async function startLabRegistry(options: LabRegistryOptions = {}): Promise<LabRegistry> {
  const registry = new LabRegistry(options);
  await registry.listen();
  return registry;
}
