import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { inBackground } from '../http/background.ts';
import { cutExchange, type Exchange, type Exchanges, endOf } from './exchanges.ts';
import { descriptorOf, unacknowledgedBytes } from './kernel-socket.ts';

export interface HoldInput {
  /** Every connection, from its first byte. */
  sockets: ReadonlySet<Socket>;
  /** Connections on which requests may come: after their handshake, as TLS sockets, if there is one. */
  readySockets: ReadonlySet<Socket & { alpnProtocol?: string | false | null }>;
  sessions: ReadonlySet<ServerHttp2Session>;
  exchanges: Exchanges;
  /** Milliseconds for which a connection may be idle. */
  grace: number;
  /** Milliseconds without progress after which a client counts as gone. */
  clientIdle: number;
  /** Whether connections to this address of the machine are held. */
  isHeld: (localAddress: string | undefined) => boolean;
  /** A client must have every byte before the hold is over, because the address leaves this machine then. */
  untilAcknowledged: boolean;
}

export interface HoldLoad {
  /** Held connections. */
  connections: number;
  /** Requests, connections that may still send their first one, and replies that their clients have not acknowledged. */
  underWay: number;
  /** Milliseconds for which the oldest of these has been under way. */
  oldest: number;
}

/** What a connection owes its client, as it was seen last. Times are those of `performance.now`. */
interface Debt {
  bytes: number;
  since: number;
  /** Since when `bytes` is the same. */
  unchanged: number;
}

/** Milliseconds between two looks at a reply that its client has not acknowledged. */
const LOOK_MS = 20;

/** Milliseconds for the first request of a connection, and its handshake. */
const FIRST_REQUEST_MS = 3000;

/** Milliseconds for resets of streams to be sent before their connections are reset. */
const RESET_MS = 50;

/**
 * A listener that is to stop, and whose address is still here: it serves all, but each reply is the last on its connection. So clients come back
 * on new connections, which lead to another edge once the address has moved.
 */
export class Hold {
  /** Exchanges that ended since the hold began: see `DrainResult`. */
  readonly counts = { finished: 0, cut: 0 };
  readonly #input: HoldInput;
  /** By descriptor: when connections came that have sent no request. */
  readonly #fresh = new Map<number, number>();
  readonly #debts = new Map<Socket, Debt>();
  readonly #idleTimer: NodeJS.Timeout;
  #settled = false;

  constructor(input: HoldInput) {
    this.#input = input;
    for (const exchange of input.exchanges) this.#lastOnConnection(exchange);
    const ready = [...input.readySockets].filter((socket) => !input.exchanges.isNew(socket));
    const used = new Set(ready.map(descriptorOf));
    for (const socket of input.sockets) if (!used.has(descriptorOf(socket))) this.connection(socket);
    this.#idleTimer = setTimeout(
      inBackground('drain', () => this.#closeIdle()),
      input.grace,
    );
  }

  /** Idle connections were told to close. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Waits a while for the next request of a connection. */
  connection(socket: Socket): void {
    const descriptor = descriptorOf(socket);
    // A load balancer keeps connections to itself, and opens some only to see whether it can.
    if (!this.#input.untilAcknowledged || descriptor === undefined || !this.#input.isHeld(socket.localAddress)) return;
    this.#fresh.set(descriptor, performance.now());
    socket.once('close', () => this.#fresh.delete(descriptor));
  }

  session(session: ServerHttp2Session): void {
    const timer = setTimeout(
      inBackground('drain', () => session.close()),
      this.#input.grace,
    );
    session.once('close', () => clearTimeout(timer));
  }

  exchangeBegan(exchange: Exchange): void {
    this.#lastOnConnection(exchange);
    const socket = socketOf(exchange);
    const descriptor = socket && descriptorOf(socket);
    if (descriptor !== undefined) this.#fresh.delete(descriptor);
  }

  exchangeEnded(exchange: Exchange): void {
    if (exchange.peer) return;
    const end = endOf(exchange);
    if (end !== 'left') this.counts[end] += 1;
    if (exchange.version === 1) {
      if (exchange.res.shouldKeepAlive) this.#closeLater(exchange.socket);
      return;
    }
    const { session } = exchange.stream;
    // A client that was about to send its next request hears of the end with this reply. So no request crosses the GOAWAY.
    if (session && !this.#has(session)) session.close();
  }

  load(now = performance.now()): HoldLoad {
    const { sockets, isHeld, untilAcknowledged } = this.#input;
    let [underWay, first] = [0, now];
    const add = (since: number) => {
      underWay += 1;
      first = Math.min(first, since);
    };
    for (const exchange of this.#busy()) add(exchange.begunAt);
    for (const [descriptor, since] of this.#fresh) {
      if (now - since < FIRST_REQUEST_MS) add(since);
      else this.#fresh.delete(descriptor);
    }
    const held = [...sockets].filter((socket) => isHeld(socket.localAddress));
    // The requests of most of these connections are counted already.
    if (untilAcknowledged && underWay === 0) for (const { since } of this.#debtsOf(held, now)) add(since);
    return { connections: held.length, underWay, oldest: now - first };
  }

  /**
   * Cuts what is left, in a way that its clients notice at once. Resolves when that was sent.
   * @param olderThan milliseconds: only requests that have run for longer, and no connection on which others run
   */
  async cut(olderThan = 0): Promise<void> {
    const { sockets, isHeld, untilAcknowledged } = this.#input;
    const busy = new Set<number | undefined>();
    const spared = new Set<number | undefined>();
    const now = performance.now();
    for (const exchange of this.#busy()) {
      const socket = socketOf(exchange);
      if (now - exchange.begunAt < olderThan) {
        spared.add(socket && descriptorOf(socket));
        continue;
      }
      busy.add(socket && descriptorOf(socket));
      exchange.cut = true;
      if (exchange.version === 2) cutExchange(exchange);
    }
    if (busy.size > 0) await new Promise((resolve) => setTimeout(resolve, RESET_MS));
    for (const socket of sockets) {
      if (!isHeld(socket.localAddress)) continue;
      if (olderThan > 0) {
        const descriptor = descriptorOf(socket);
        if (busy.has(descriptor) && !spared.has(descriptor)) socket.resetAndDestroy();
        continue;
      }
      // A close alone would first send what the client has not taken yet, and that may be never.
      if (busy.has(descriptorOf(socket)) || (untilAcknowledged && unacknowledgedBytes(socket) !== 0))
        socket.resetAndDestroy();
      else if (untilAcknowledged) socket.destroy();
    }
    // Until the exchanges have heard of it.
    const until = performance.now() + RESET_MS;
    while (this.#busy().some(({ cut }) => cut) && performance.now() < until)
      await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends the hold; connections go on as they are. */
  end(): void {
    clearTimeout(this.#idleTimer);
    this.#fresh.clear();
  }

  /** The headers of the last reply promised keep-alive before the hold began, so the client may be sending its next request. */
  #closeLater(socket: Socket): void {
    const { exchanges, grace } = this.#input;
    if (!exchanges.isIdle(socket)) return;
    this.connection(socket);
    const close = () => {
      if (exchanges.isIdle(socket)) socket.destroySoon();
    };
    const timer = setTimeout(inBackground('drain', close), grace);
    socket.once('close', () => clearTimeout(timer));
  }

  /** Exchanges of clients on held connections. */
  #busy(): Exchange[] {
    const { exchanges, isHeld } = this.#input;
    return [...exchanges].filter((exchange) => !exchange.peer && isHeld(socketOf(exchange)?.localAddress));
  }

  /** Closes connections without a request. Until now their next request was served, so only those that send none are left. */
  #closeIdle(): void {
    const { readySockets, exchanges, sessions } = this.#input;
    for (const socket of readySockets)
      if (socket.alpnProtocol !== 'h2' && exchanges.isIdle(socket)) socket.destroySoon();
    // A GOAWAY names the last stream served, so clients may repeat later streams.
    for (const session of sessions) session.close();
    this.#settled = true;
  }

  #lastOnConnection(exchange: Exchange): void {
    if (exchange.version === 2 || exchange.peer) return;
    if (!exchange.res.headersSent) exchange.res.shouldKeepAlive = false;
    const { socket } = exchange;
    if (this.#input.untilAcknowledged && this.#input.isHeld(socket.localAddress)) closeWhenAcknowledged(socket);
  }

  #has(session: unknown): boolean {
    for (const exchange of this.#input.exchanges)
      if (exchange.version === 2 && exchange.stream.session === session) return true;
    return false;
  }

  /** The connections that owe their clients bytes, without those whose client takes none. */
  #debtsOf(held: readonly Socket[], now: number): Debt[] {
    const debts = held.flatMap((socket) => {
      const bytes = unacknowledgedBytes(socket) ?? 0;
      if (bytes === 0) {
        this.#debts.delete(socket);
        return [];
      }
      const debt = this.#debts.get(socket) ?? { bytes, since: now, unchanged: now };
      if (debt.bytes !== bytes) Object.assign(debt, { bytes, unchanged: now });
      this.#debts.set(socket, debt);
      return [debt];
    });
    return debts.filter(({ unchanged }) => now - unchanged < this.#input.clientIdle);
  }
}

/** The connection of an exchange; undefined if it is gone. */
function socketOf(exchange: Exchange): Socket | undefined {
  if (exchange.version === 1) return exchange.socket;
  const { session } = exchange.stream;
  // The socket of a destroyed session throws when it is looked at.
  return session && !session.destroyed ? (session.socket as Socket) : undefined;
}

/**
 * Lets Node's server end a connection after its last reply, but keeps the descriptor until the client has every byte. Without it, what is left
 * could not be reset before the address leaves.
 */
function closeWhenAcknowledged(socket: Socket): void {
  const look = () => {
    if (socket.destroyed) return;
    if ((unacknowledgedBytes(socket) ?? 0) === 0) socket.destroy();
    else setTimeout(inBackground('drain', look), LOOK_MS);
  };
  socket.destroySoon = () => {
    if (socket.writable) socket.end();
    if (socket.writableFinished) look();
    else socket.once('finish', inBackground('drain', look));
  };
}
