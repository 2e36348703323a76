import { connect, isIP, type OnReadOpts, type Socket } from 'node:net';
import tls, { type SecureContext } from 'node:tls';
import type { Resolver } from '../resolver.ts';

const KEEP_ALIVE_MS = 60_000;

/** Opens sockets to one origin. */
export class Dialer {
  readonly secure: boolean;
  readonly #host: string;
  readonly #port: number;
  readonly #resolver: Pick<Resolver, 'lookup'>;
  readonly #context: SecureContext | undefined;
  #session: Buffer | undefined;

  /** @param ca PEM; undefined for the system's authorities */
  constructor(origin: URL, ca: string | string[] | undefined, resolver: Pick<Resolver, 'lookup'>) {
    this.secure = origin.protocol === 'https:';
    this.#host = origin.hostname.replace(/^\[|\]$/g, '');
    this.#port = Number(origin.port) || (this.secure ? 443 : 80);
    this.#resolver = resolver;
    // Made once: to parse the authorities takes longer than a handshake.
    this.#context = this.secure ? tls.createSecureContext(ca === undefined ? {} : { ca }) : undefined;
  }

  dial(onread: OnReadOpts): Socket {
    const options = {
      host: this.#host,
      port: this.#port,
      lookup: this.#resolver.lookup,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      onread,
    };
    return this.#context === undefined ? connect(options) : this.#dialSecure(this.#context, options);
  }

  #dialSecure(secureContext: SecureContext, options: tls.ConnectionOptions & { onread: OnReadOpts }): Socket {
    const socket = tls.connect({
      ...options,
      secureContext,
      ALPNProtocols: ['http/1.1'],
      // RFC 6066 section 3 allows no addresses in SNI.
      ...(isIP(this.#host) === 0 ? { servername: this.#host } : {}),
      ...(this.#session === undefined ? {} : { session: this.#session }),
    });
    socket.on('session', (session) => {
      if (socket.authorized) this.#session = session;
    });
    socket.on('error', () => {
      this.#session = undefined;
    });
    return socket;
  }
}
