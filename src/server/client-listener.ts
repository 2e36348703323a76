import { constants, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { bounded } from '../http/boundary.ts';
import { addressOf } from './bound-address.ts';
import type { Certificates } from './certificates.ts';
import {
  applyLimits,
  type ClientServer,
  createClientServer,
  DEFAULT_TIMINGS,
  type ListenerLimits,
  type ListenerTimings,
  readyEvent,
} from './client-server.ts';
import { Drain, type DrainResult } from './drain.ts';
import { type ClientRequest, cutExchange, type Exchange, Exchanges } from './exchanges.ts';
import { guardSession } from './flood-guard.ts';
import { Hold } from './hold.ts';
import { ignoreNewConnections } from './kernel-socket.ts';
import { openListener, type PassedName } from './passed-sockets.ts';
import { ProxyGate, type ProxyRefusal, type ProxyTrust } from './proxy-gate.ts';
import { type Handler, receiveRequests } from './request-receiver.ts';
import { SessionWatch } from './session-watch.ts';
import { StallWatch } from './stall-watch.ts';
import { nameUnix, socketPath } from './unix-socket.ts';

export interface ClientListenerOptions {
  /** Default: `https`. */
  name?: PassedName;
  /** `0.0.0.0:443`, where port 0 takes a free one; or `unix:/PATH`. */
  address: string;
  /** Of a unix socket. */
  socketMode?: number;
  /** File descriptor of a socket that the service manager has opened at the address. */
  passed?: number | undefined;
  /** Undefined: plain HTTP/1.1. */
  certificates: Certificates | undefined;
  limits: ListenerLimits;
  handler: Handler;
  /** Whether a request comes from another edge. Default: none does. */
  isPeer?: (request: ClientRequest) => boolean;
  /** Called with what the handler and other callbacks threw, and with errors that belong nowhere else. */
  onError: (error: unknown) => void;
  /** Connections of load balancers begin with a PROXY header. Omitted: none does. */
  proxies?: ProxyTrust | undefined;
  /** Called after each new connection was accepted. */
  onConnection?: () => void;
  timings?: Partial<ListenerTimings>;
}

export interface DrainOptions {
  /** Milliseconds. */
  timeout: number;
  /** Called when no client gets a reply any more, some time before the connections of other edges are closed. */
  onLast?: () => void;
  /** The drains of other listeners, of whose clients the other edges hear, too. */
  others?: Promise<unknown> | undefined;
}

export interface HoldOptions {
  /** Whether connections to this address of the machine are held. */
  isHeld: (localAddress: string | undefined) => boolean;
  /** A client must have every byte before the hold is over. */
  untilAcknowledged: boolean;
}

/** Counts since the start. Those of `ProxyRefusal` are connections refused before their handshake. */
export interface ListenerCounts extends Record<ProxyRefusal, number> {
  /** Handshakes that failed. */
  tlsErrors: number;
  /** Requests that never reached the handler, and HTTP/2 sessions that broke the protocol. */
  malformed: number;
  /** Connections beyond the limit. */
  shed: number;
  /** Exchanges cut because the client stalled or was gone. */
  stalled: number;
  /** HTTP/2 sessions ended because they flooded. */
  floods: number;
}

/** A port that clients use: TLS with HTTP/1.1 and HTTP/2, or plain HTTP/1.1. Both have the same guards. */
export class ClientListener {
  readonly counts: ListenerCounts = {
    tlsErrors: 0,
    malformed: 0,
    shed: 0,
    stalled: 0,
    floods: 0,
    proxyMissing: 0,
    proxyMalformed: 0,
    proxyLate: 0,
    proxyUntrusted: 0,
  };
  readonly #options: ClientListenerOptions;
  readonly #timings: ListenerTimings;
  readonly #server: ClientServer;
  readonly #sockets = new Set<Socket>();
  /** Connections on which requests may come: after their handshake, if there is one. */
  readonly #readySockets = new Set<Socket>();
  /** The address at the other end of each connection, which a PROXY header does not change. */
  readonly #peers = new WeakMap<Socket, string>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #exchanges = new Exchanges((exchange) => (this.#drain ?? this.#hold)?.exchangeEnded(exchange));
  readonly #stalls = new StallWatch();
  readonly #sessionWatch = new SessionWatch();
  #limits: ListenerLimits;
  #paused = false;
  #hold: Hold | undefined;
  #drain: Drain | undefined;

  constructor(options: ClientListenerOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#server = createClientServer(options.certificates, options.limits, this.#timings);
    const { proxies, onError } = options;
    const onRefused = (refusal: ProxyRefusal, address: string) => {
      this.#add(refusal);
      proxies?.onRefused(refusal, address);
    };
    // Before any other listener is added, because a connection that is passed on now lacks its header.
    if (proxies)
      new ProxyGate(this.#server, { ...proxies, onRefused, onError, required: true, timeout: this.#timings.handshake });
    this.#wireConnections();
    receiveRequests(this.#server, {
      exchanges: this.#exchanges,
      handler: options.handler,
      isPeer: options.isPeer ?? (() => false),
      onBegin: (exchange) => (this.#drain ?? this.#hold)?.exchangeBegan(exchange),
      onMalformed: () => this.#add('malformed'),
      onError,
      headerBytes: () => this.#limits.headerBytes,
      lingerMs: this.#timings.grace,
      // Some clients ask every server of plain HTTP for HTTP/2, and go on without it.
      ignoresUpgrade: options.certificates === undefined,
    });
  }

  /** Resolves with the address once connections are taken. */
  async listen(): Promise<AddressInfo> {
    const { onError, name = 'https', address: configured, socketMode, passed } = this.#options;
    const address = await openListener(this.#server, { name, address: configured, socketMode, passed }, onError);
    // A process that died in its stop may have left the filter on a socket of the service manager.
    if (passed !== undefined) this.ignoreNew(false);
    const sweep = setInterval(
      bounded(() => this.#sweep(), { onError }),
      this.#timings.sweep,
    ).unref();
    this.#server.once('close', () => clearInterval(sweep));
    return address;
  }

  address(): AddressInfo {
    return addressOf(this.#server);
  }

  /** The address at the other end of an HTTP/1.1 connection without TLS: that of a load balancer, too. */
  peerOf(socket: Socket): string | undefined {
    return this.#peers.get(socket);
  }

  /** Open connections and running requests. */
  load(): { connections: number; exchanges: number } {
    return { connections: this.#sockets.size, exchanges: this.#exchanges.size };
  }

  /** Applies new limits to new connections. */
  update(limits: ListenerLimits): void {
    this.#limits = limits;
    applyLimits(this.#server, this.#paused ? { ...limits, connections: 0 } : limits);
  }

  /** While paused, new connections are closed at once, and those that have had requests and have none now. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.update(this.#limits);
    if (!paused) return;
    for (const socket of this.#readySockets) if (this.#exchanges.isIdle(socket)) socket.destroySoon();
  }

  /** Serves all, and makes each reply the last one on its connection. A drain ends that. */
  hold(options: HoldOptions): Hold {
    this.#hold ??= new Hold({
      ...options,
      sockets: this.#sockets,
      readySockets: this.#readySockets,
      sessions: this.#sessions,
      exchanges: this.#exchanges,
      grace: this.#timings.grace,
      clientIdle: this.#limits.clientIdle,
    });
    return this.#hold;
  }

  /** See `ignoreNewConnections`. */
  ignoreNew(ignored: boolean): boolean {
    return ignoreNewConnections(this.#server, ignored);
  }

  /**
   * Stops accepting, waits at most `timeout` milliseconds for running exchanges, then cuts the rest. Resolves when every connection is
   * closed. A second call joins the first.
   */
  drain({ timeout, onLast = () => undefined, others }: DrainOptions): Promise<DrainResult> {
    this.#hold?.end();
    this.#drain ??= new Drain({
      server: this.#server,
      sockets: this.#sockets,
      readySockets: this.#readySockets,
      sessions: this.#sessions,
      exchanges: this.#exchanges,
      timeout,
      grace: this.#timings.grace,
      onLast,
      others,
    });
    return this.#drain.done;
  }

  #wireConnections(): void {
    const server = this.#server;
    const { onError } = this.#options;
    const destroying = { end: (connection: { destroy(): unknown }) => void connection.destroy(), onError };
    const isUnix = socketPath(this.#options.address) !== undefined;
    const onConnection = (socket: Socket) => {
      if (isUnix) nameUnix(socket);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      const { remoteAddress } = socket;
      if (remoteAddress !== undefined) this.#peers.set(socket, remoteAddress);
      this.#hold?.connection(socket);
      this.#options.onConnection?.();
    };
    server.on('connection', bounded(onConnection, destroying));
    const onReady = (socket: Socket) => {
      if (isUnix) nameUnix(socket);
      this.#readySockets.add(socket);
      const onClose = () => {
        this.#readySockets.delete(socket);
        this.#exchanges.abandon(socket);
      };
      socket.once('close', bounded(onClose, { onError }));
    };
    server.on(readyEvent(server), bounded(onReady, destroying));
    server.on('drop', () => this.#add('shed'));
    server.on('tlsClientError', () => this.#add('tlsErrors'));
    // A session that breaks the protocol destroys itself and its streams, so it is only counted.
    server.on('sessionError', () => this.#add('malformed'));
    const onSession = (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      this.#sessionWatch.add(session);
      guardSession(session, this.#limits.keepAlive, () => this.#add('floods'));
      (this.#drain ?? this.#hold)?.session(session);
    };
    server.on('session', bounded(onSession, destroying));
  }

  /** Cuts clients that stalled, and lets go of those that are gone. */
  #sweep(): void {
    const { clientIdle } = this.#limits;
    for (const exchange of this.#stalls.stalled(this.#exchanges, clientIdle)) this.#cutStalled(exchange);
    const streams = [...this.#exchanges].filter((exchange) => exchange.version === 2);
    const resetting = new Set(streams.filter(({ cut }) => cut).map(({ stream }) => stream.session));
    for (const { session, socket } of this.#sessionWatch.lost(clientIdle, this.#timings.grace, resetting)) {
      for (const exchange of streams)
        if (!exchange.cut && exchange.stream.session === session) this.#cutStalled(exchange);
      socket.destroy();
    }
  }

  #cutStalled(exchange: Exchange): void {
    this.#add('stalled');
    cutExchange(exchange, constants.NGHTTP2_CANCEL);
  }

  #add(count: keyof ListenerCounts): void {
    this.counts[count] += 1;
  }
}
