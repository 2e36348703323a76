import type { Server, Socket } from 'node:net';
import tls from 'node:tls';
import { bounded } from '../http/boundary.ts';
import type { NamedClient } from './proxy-header.ts';
import { type ConnectionStart, readProxyHeader } from './proxy-header-read.ts';

/**
 * Why a connection was refused before TLS or HTTP: a load balancer sent no header or a malformed one, a client sent too little in time, or
 * a client that is no load balancer sent a header.
 */
export type ProxyRefusal = 'proxyMissing' | 'proxyMalformed' | 'proxyLate' | 'proxyUntrusted';

/** The known load balancers of a listener, and the callback for refused connections. */
export interface ProxyTrust {
  /** Whether an address belongs to a load balancer. Called for each connection, so that a reload takes effect. */
  isProxy: (address: string) => boolean;
  /** Called with each refused connection and its address. */
  onRefused: (refusal: ProxyRefusal, address: string) => void;
}

export interface ProxyGateOptions extends ProxyTrust {
  /** Load balancers must send a header; otherwise they may. */
  required: boolean;
  /** Milliseconds from the connection to the end of its header. */
  timeout: number;
  /** Called with what the callbacks threw. Their connection is destroyed. */
  onError: (error: unknown) => void;
}

/**
 * Removes the PROXY header from connections before a server sees them, and gives connections the client's address. `remoteAddress` is
 * undefined if the header names no client. Only the header passes through here; the server gets the socket itself.
 */
export class ProxyGate {
  readonly #options: ProxyGateOptions;
  readonly #isTls: boolean;
  readonly #forward: (socket: Socket) => void;
  readonly #waiting = new Set<Socket>();
  /** Keyed by both ends of the connection, because a TLS socket does not tell its TCP socket. Without a client: the header names none. */
  readonly #clients = new Map<string, { client: NamedClient | undefined }>();

  /** @param server its present `connection` listeners get the connections later */
  constructor(server: Server, options: ProxyGateOptions) {
    this.#options = options;
    this.#isTls = server instanceof tls.Server;
    const takers = server.listeners('connection');
    server.removeAllListeners('connection');
    this.#forward = (socket) => {
      for (const taker of takers) taker.call(server, socket);
    };
    const destroying = { end: (socket: Socket) => void socket.destroy(), onError: options.onError };
    server.on(
      'connection',
      bounded((socket: Socket) => this.#receive(socket), destroying),
    );
    // Runs first, before any request is read.
    const name = (socket: Socket) => nameClient(socket, this.#clients.get(endsOf(socket))?.client);
    server.prependListener('secureConnection', bounded(name, destroying));
  }

  /** Connections that the gate remembers: those without a complete header, and the open ones. */
  get size(): number {
    return this.#waiting.size + this.#clients.size;
  }

  /** Closes connections whose header is incomplete. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #receive(socket: Socket): void {
    const { remoteAddress: address, remotePort: port } = socket;
    // The connection is closed already.
    if (address === undefined || port === undefined) {
      socket.destroy();
      return;
    }
    const { isProxy, timeout, onError } = this.#options;
    const proxy = isProxy(address);
    this.#waiting.add(socket);
    const onStart = (beginning: ConnectionStart) => {
      this.#waiting.delete(socket);
      const refusal = proxy ? this.#refusalOfProxy(beginning) : refusalOfOther(beginning);
      if (refusal !== undefined) this.#options.onRefused(refusal, address);
      if (refusal !== undefined || beginning.kind === 'closed') {
        socket.destroy();
        return;
      }
      const client = beginning.kind === 'header' ? beginning.client : { address, port };
      this.#remember(socket, client);
      if (!this.#isTls && beginning.kind === 'header') nameClient(socket, client);
      this.#forward(socket);
    };
    readProxyHeader(socket, timeout, bounded(onStart, { end: () => void socket.destroy(), onError }));
  }

  #refusalOfProxy(beginning: ConnectionStart): ProxyRefusal | undefined {
    if (beginning.kind === 'malformed') return 'proxyMalformed';
    if (beginning.kind === 'late') return 'proxyLate';
    if (beginning.kind === 'absent') return this.#options.required ? 'proxyMissing' : undefined;
    // A load balancer that only checks the port sends nothing.
    return beginning.kind === 'closed' && beginning.begun ? 'proxyMalformed' : undefined;
  }

  #remember(socket: Socket, client: NamedClient | undefined): void {
    const ends = endsOf(socket);
    const named = { client };
    this.#clients.set(ends, named);
    socket.once('close', () => {
      // The same ends may be in use again before this event.
      if (this.#clients.get(ends) === named) this.#clients.delete(ends);
    });
  }
}

/** A client that is no load balancer must not send a header. */
function refusalOfOther({ kind }: ConnectionStart): ProxyRefusal | undefined {
  if (kind === 'header' || kind === 'malformed') return 'proxyUntrusted';
  return kind === 'late' ? 'proxyLate' : undefined;
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function nameClient(socket: Socket, client: NamedClient | undefined): void {
  const family = client && (client.address.includes(':') ? 'IPv6' : 'IPv4');
  Object.defineProperties(socket, {
    remoteAddress: { value: client?.address },
    remotePort: { value: client?.port },
    remoteFamily: { value: family },
  });
}
