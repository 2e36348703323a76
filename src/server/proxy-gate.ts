import type { Server, Socket } from 'node:net';
import type { NamedClient } from './proxy-header.ts';
import { type ConnectionStart, readProxyHeader } from './proxy-header-read.ts';

/**
 * Why a connection was refused before TLS or HTTP: a load balancer that sent no header, or a broken one; somebody who sent as good as
 * nothing in time; a header of somebody who is no load balancer.
 */
export type ProxyRefusal = 'proxyMissing' | 'proxyMalformed' | 'proxyLate' | 'proxyUntrusted';

/** What is known of the load balancers before a listener, and who hears of what they do wrong. */
export interface ProxyTrust {
  /** Whether that address is one of a load balancer. Asked at each connection, so that a reload takes effect. */
  isProxy: (address: string) => boolean;
  /** Told of each connection that is refused, and of the address that it came from. */
  onRefused: (refusal: ProxyRefusal, address: string) => void;
}

export interface ProxyGateOptions extends ProxyTrust {
  /** Load balancers must send a header. Else they may. */
  required: boolean;
  /** Milliseconds from the connection to the end of its header. */
  timeout: number;
}

/**
 * Takes the PROXY header off connections before a server sees them, and tells TLS connections whose they are: `remoteAddress` is the
 * client's, or undefined where the header does not say. Only the header passes through here; what the server gets is the socket itself.
 */
export class ProxyGate {
  readonly #options: ProxyGateOptions;
  readonly #forward: (socket: Socket) => void;
  readonly #waiting = new Set<Socket>();
  /** By both ends of the connection: a TLS socket does not say which socket it is made of. Without a client: nobody knows who it is. */
  readonly #clients = new Map<string, { client: NamedClient | undefined }>();

  /** @param server as it was made: what listens to `connection` by now gets the connections */
  constructor(server: Server, options: ProxyGateOptions) {
    this.#options = options;
    const takers = server.listeners('connection');
    server.removeAllListeners('connection');
    this.#forward = (socket) => {
      for (const taker of takers) taker.call(server, socket);
    };
    server.on('connection', (socket: Socket) => this.#receive(socket));
    // First, so that no request is read before.
    server.prependListener('secureConnection', (socket: Socket) =>
      nameClient(socket, this.#clients.get(endsOf(socket))?.client),
    );
  }

  /** Connections that it keeps something of: those whose header has not come, and those that are open. */
  get size(): number {
    return this.#waiting.size + this.#clients.size;
  }

  /** Cuts the connections that have not begun. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #receive(socket: Socket): void {
    const { remoteAddress: address, remotePort: port } = socket;
    // It has gone already.
    if (address === undefined || port === undefined) {
      socket.destroy();
      return;
    }
    const proxy = this.#options.isProxy(address);
    this.#waiting.add(socket);
    readProxyHeader(socket, this.#options.timeout, (beginning) => {
      this.#waiting.delete(socket);
      const refusal = proxy ? this.#refusalOfProxy(beginning) : refusalOfOther(beginning);
      if (refusal !== undefined) this.#options.onRefused(refusal, address);
      if (refusal !== undefined || beginning.kind === 'closed') {
        socket.destroy();
        return;
      }
      this.#remember(socket, beginning.kind === 'header' ? beginning.client : { address, port });
      this.#forward(socket);
    });
  }

  #refusalOfProxy(beginning: ConnectionStart): ProxyRefusal | undefined {
    if (beginning.kind === 'malformed') return 'proxyMalformed';
    if (beginning.kind === 'late') return 'proxyLate';
    if (beginning.kind === 'absent') return this.#options.required ? 'proxyMissing' : undefined;
    // A load balancer that only tries whether the port is open has nothing to say.
    return beginning.kind === 'closed' && beginning.begun ? 'proxyMalformed' : undefined;
  }

  #remember(socket: Socket, client: NamedClient | undefined): void {
    const ends = endsOf(socket);
    const named = { client };
    this.#clients.set(ends, named);
    socket.once('close', () => {
      // The same ends may have met again before this was told.
      if (this.#clients.get(ends) === named) this.#clients.delete(ends);
    });
  }
}

/** Who is no load balancer is taken for the client, unless it says to be one. */
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
