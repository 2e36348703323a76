import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { MANIFEST_TYPE, sha256 } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { RegistryState } from './registry-state.ts';
import type { RegistryUsers } from './registry-users.ts';

/**
 * `cut`: connections are reset. `frozen`: nothing is answered. `hung`: storage does not answer. `errors`: storage answers
 * 500. `unmounted`: storage is an empty folder, and what is written there is gone afterwards. `overloaded`: 503 with
 * Retry-After. `slow`: storage takes longer than usual, and less than a probe may.
 */
export const REGISTRY_FAULTS = ['cut', 'frozen', 'hung', 'errors', 'unmounted', 'overloaded', 'slow'] as const;
export type RegistryFault = (typeof REGISTRY_FAULTS)[number];

const SLOW_MS = 350;

/** A registry with a state of its own, and faults at a switch. */
export class StatefulRegistry {
  state = new RegistryState();
  users: RegistryUsers | undefined;
  /** Requests that changed a tag, as they succeeded. */
  onChange: ((repository: string, reference: string, digest: string | null) => void) | undefined;
  /** When the fault was last set or ended, by the clock of this process since the search began. */
  faultSetAt = Number.NEGATIVE_INFINITY;
  #fault: RegistryFault | undefined;
  #unmounted = new RegistryState();
  /** Bytes of uploads under way, by session. */
  readonly #uploads = new Map<string, Buffer>();
  readonly #held = new Set<Socket>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      this.#receive(request, response);
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
      if (this.#fault === 'cut') socket.resetAndDestroy();
    });
  }

  static async start(owner: Owner): Promise<StatefulRegistry> {
    const registry = new StatefulRegistry();
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    owner.teardown(() => {
      registry.#server.closeAllConnections();
      registry.#server.close();
    });
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get fault(): RegistryFault | undefined {
    return this.#fault;
  }

  set fault(fault: RegistryFault | undefined) {
    this.#fault = fault;
    this.#unmounted = new RegistryState();
    if (fault === 'cut') for (const socket of this.#sockets) socket.resetAndDestroy();
    // What was held is not answered late: the connections of a machine that was gone are dead.
    for (const socket of this.#held) socket.destroy();
    this.#held.clear();
  }

  /** What requests see now. */
  get #seen(): RegistryState {
    return this.#fault === 'unmounted' ? this.#unmounted : this.state;
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const url = new URL(request.url ?? '', 'http://registry');
      const isStorage = url.pathname !== '/v2/' && url.pathname !== '/token';
      if (this.#fault === 'frozen' || (isStorage && this.#fault === 'hung')) return void this.#held.add(request.socket);
      const answer = () => this.#answer(request, response, url, Buffer.concat(chunks));
      if (!isStorage) return answer();
      if (this.#fault === 'errors') return send(response, 500);
      if (this.#fault === 'overloaded') return send(response, 503, { 'retry-after': '3' });
      if (this.#fault === 'slow') return void setTimeout(answer, SLOW_MS);
      return answer();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): unknown {
    if (url.pathname === '/token') return this.#token(request, response, url);
    const [, name = '', kind = '', rest = ''] =
      /^[/]v2[/](.+?)[/](manifests|blobs|tags|referrers)[/](.+)$/.exec(url.pathname) ?? [];
    if (!this.#isAllowed(request, response, name)) return;
    if (url.pathname === '/v2/') return send(response, 200, {}, '{}');
    if (url.pathname === '/v2/_catalog') return this.#catalog(response);
    if (kind === 'tags') return this.#tags(response, name);
    if (kind === 'manifests') return this.#manifest(request, response, name, rest, body);
    if (kind === 'blobs') return this.#blob(request, response, { name, rest, url, body });
    return send(response, 404);
  }

  /** False: the request was refused. */
  #isAllowed(request: IncomingMessage, response: ServerResponse, name: string): boolean {
    if (!this.users) return true;
    const { method = '' } = request;
    const action = method === 'DELETE' ? 'delete' : method === 'GET' || method === 'HEAD' ? 'pull' : 'push';
    const user = this.users.userOf(request);
    if (user !== undefined && (name === '' || this.users.allows(request, name, action))) return true;
    // Some registries hide what they deny.
    if (user !== undefined && this.users.scheme === 'basic') send(response, action === 'pull' ? 404 : 403);
    else send(response, 401, { 'www-authenticate': this.#challenge(name, action) });
    return false;
  }

  #challenge(name: string, action: string): string {
    if (this.users?.scheme === 'basic') return 'Basic realm="registry"';
    const scope = name === '' ? '' : `,scope="repository:${name}:${action}"`;
    return `Bearer realm="${this.url}/token",service="registry"${scope}`;
  }

  #token(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const scopes = url.searchParams.getAll('scope').flatMap((scope) => scope.split(' '));
    const token = this.users?.token(request, scopes);
    if (token) send(response, 200, { 'content-type': 'application/json' }, JSON.stringify(token));
    else send(response, 401);
  }

  #catalog(response: ServerResponse): void {
    // As distribution does, also those without a tag.
    const repositories = [...this.#seen.repositories.keys()];
    send(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ repositories: repositories.sort() }));
  }

  #tags(response: ServerResponse, name: string): unknown {
    const tags = [...(this.#seen.repositories.get(name)?.tags.keys() ?? [])].sort();
    if (tags.length === 0) return send(response, 404, {}, unknown('NAME_UNKNOWN'));
    send(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ name, tags }));
  }

  #manifest(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    reference: string,
    body: Buffer,
  ): unknown {
    if (request.method === 'PUT') return this.#putManifest(response, name, reference, body);
    const manifest = this.#seen.manifest(name, reference);
    if (!manifest) return send(response, 404, {}, unknown('MANIFEST_UNKNOWN'));
    if (request.method === 'DELETE') {
      const { tags } = this.#seen.repository(name);
      const gone = reference.includes(':')
        ? [...tags].filter(([, at]) => at === reference).map(([tag]) => tag)
        : [reference];
      this.#seen.delete(name, reference);
      for (const tag of gone) this.#changed(name, tag, null);
      return send(response, 202);
    }
    const headers = { 'content-type': MANIFEST_TYPE, 'docker-content-digest': sha256(manifest) };
    send(response, 200, headers, manifest, request.method === 'HEAD');
  }

  #putManifest(response: ServerResponse, name: string, reference: string, body: Buffer): unknown {
    const digest = sha256(body);
    const { blobs, manifests, tags } = this.#seen.repository(name);
    const { config, layers } = JSON.parse(body.toString()) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    if ([config, ...layers].some((part) => !blobs.has(part.digest)))
      return send(response, 404, {}, unknown('MANIFEST_BLOB_UNKNOWN'));
    manifests.set(digest, body);
    if (!reference.includes(':')) {
      tags.set(reference, digest);
      this.#changed(name, reference, digest);
    }
    send(response, 201, { 'docker-content-digest': digest, location: `/v2/${name}/manifests/${digest}` });
  }

  #changed(name: string, tag: string, digest: string | null): void {
    if (this.#fault !== 'unmounted') this.onChange?.(name, tag, digest);
  }

  #blob(
    request: IncomingMessage,
    response: ServerResponse,
    { name, rest, url, body }: { name: string; rest: string; url: URL; body: Buffer },
  ): unknown {
    if (rest.startsWith('uploads/')) return this.#upload(response, name, url, body);
    const blob = this.#seen.repositories.get(name)?.blobs.get(rest);
    if (!blob) return send(response, 404, {}, unknown('BLOB_UNKNOWN'));
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': rest };
    if (first === undefined) return send(response, 200, headers, blob, request.method === 'HEAD');
    const part = blob.subarray(Number(first), last ? Number(last) + 1 : undefined);
    const range = `bytes ${first}-${Number(first) + part.length - 1}/${blob.length}`;
    send(response, 206, { ...headers, 'content-range': range }, part);
  }

  #upload(response: ServerResponse, name: string, { pathname, searchParams }: URL, body: Buffer): unknown {
    const session = pathname.endsWith('/uploads/') ? `${pathname}${this.#uploads.size + 1}` : pathname;
    const bytes = Buffer.concat([this.#uploads.get(session) ?? Buffer.alloc(0), body]);
    const digest = searchParams.get('digest');
    if (digest === null) {
      this.#uploads.set(session, bytes);
      return send(response, 202, { location: session, range: `0-${Math.max(0, bytes.length - 1)}` });
    }
    this.#seen.repository(name).blobs.set(digest, bytes);
    send(response, 201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
  }
}

function unknown(code: string): string {
  return JSON.stringify({ errors: [{ code, message: 'unknown to the registry' }] });
}

function send(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
  body: Buffer | string = '',
  isHead = false,
): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
  response.end(isHead ? undefined : body);
}
