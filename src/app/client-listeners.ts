import type { AddressInfo, Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Loaded } from '../config/load.ts';
import type { NetworkSet } from '../config/network.ts';
import { isPeerQuestion } from '../peer/peer-endpoint.ts';
import { TLS, type Transport } from '../proxy/request/transport.ts';
import { type CertificatePair, Certificates } from '../server/certificates.ts';
import { ClientListener, type HoldOptions, type ListenerCounts } from '../server/client-listener.ts';
import type { ListenerLimits } from '../server/client-server.ts';
import type { DrainResult } from '../server/drain.ts';
import type { ClientRequest, ClientResponse } from '../server/exchanges.ts';
import type { HoldLoad } from '../server/hold.ts';
import type { PassedSockets } from '../server/passed-sockets.ts';
import { RedirectListener } from '../server/redirect-listener.ts';
import { proxyTrustOf } from './proxy-trust.ts';

export interface ClientAddresses {
  https: AddressInfo;
  plain?: AddressInfo;
  http?: AddressInfo;
}

/** The listeners while their address is held. */
export interface HeldListeners {
  /** Idle connections were told to close. */
  readonly settled: boolean;
  load(): HoldLoad;
  /** @returns false: the system cannot do it */
  ignoreNew(ignored: boolean): boolean;
  /** Resolves when the clients of what was left have been told. @param olderThan milliseconds; default: all */
  cut(olderThan?: number): Promise<void>;
  counts(): DrainResult;
}

export interface ClientListenersOptions {
  handle: (request: ClientRequest, response: ClientResponse, expectsContinue: boolean, transport: Transport) => unknown;
  certificates: readonly CertificatePair[];
  /** The answer to a challenge of ACME; undefined: there is no such challenge. */
  challengeAnswer: (token: string) => string | undefined;
  /** Host names that are redirected to https. */
  hostnames: () => readonly string[];
  /** The networks of `trustedProxies` at the time of the call. */
  trustedProxies: () => NetworkSet | undefined;
  log: Logger;
  onError: (error: unknown) => void;
  /** Called after each new connection was accepted. */
  onConnection: () => void;
  /** Sockets that the service manager has opened. */
  passed: PassedSockets;
}

/** The listeners that clients use: `https`, and as configured `plain` and the redirect of `http`. */
export class ClientListeners {
  readonly certificates: Certificates;
  readonly #https: ClientListener;
  readonly #plain: ClientListener | undefined;
  readonly #redirect: RedirectListener | undefined;

  /** @throws Error that names the file, if a certificate is broken */
  constructor({ config }: Loaded, options: ClientListenersOptions) {
    const { https, plain, http } = config.listen;
    const { handle, hostnames, challengeAnswer, trustedProxies, log, onError, onConnection, passed } = options;
    const proxies = proxyTrustOf(config, trustedProxies, log);
    const socketMode = Number.parseInt(config.listen.socketMode, 8);
    const common = { limits: config.limits, proxies, onError, onConnection, socketMode };
    this.certificates = new Certificates(options.certificates);
    this.#https = new ClientListener({
      ...common,
      address: https,
      passed: passed.https,
      certificates: this.certificates,
      isPeer: (request) => isPeerQuestion(request),
      handler: (request, response, expectsContinue) => handle(request, response, expectsContinue, TLS),
    });
    if (plain !== undefined) {
      const listener = new ClientListener({
        ...common,
        name: 'plain',
        address: plain,
        passed: passed.plain,
        certificates: undefined,
        handler: (request, response, expectsContinue) =>
          handle(request, response, expectsContinue, { peer: listener.peerOf(request.socket as Socket) }),
      });
      this.#plain = listener;
    }
    if (http !== undefined) {
      // Before a unix socket is a web server, at the usual port.
      const httpsPort = () => this.#https.address().port || 443;
      const told = { hostnames, httpsPort, challengeAnswer, onError, onConnection };
      this.#redirect = new RedirectListener({ address: http, passed: passed.http, ...told, proxies });
    }
  }

  /** Resolves when clients are served. */
  async listen(): Promise<ClientAddresses> {
    const https = await this.#https.listen();
    const plain = await this.#plain?.listen();
    const http = await this.#redirect?.listen();
    return { https, ...(plain === undefined ? {} : { plain }), ...(http === undefined ? {} : { http }) };
  }

  /** Applies new limits to new connections. */
  update(limits: ListenerLimits): void {
    for (const listener of this.#all) listener.update(limits);
  }

  /** While paused, new connections are closed at once, and idle ones. */
  pause(paused: boolean): void {
    for (const listener of this.#all) listener.pause(paused);
    this.#redirect?.pause(paused);
  }

  /** Open connections and running requests. */
  load(): { connections: number; exchanges: number } {
    const loads = this.#all.map((listener) => listener.load());
    const sum = (of: 'connections' | 'exchanges') => loads.reduce((total, load) => total + load[of], 0);
    return { connections: sum('connections'), exchanges: sum('exchanges') };
  }

  /** Counts since the start, of all listeners together. */
  counts(): ListenerCounts {
    const total = { ...this.#https.counts };
    for (const name of Object.keys(total) as (keyof ListenerCounts)[]) total[name] += this.#plain?.counts[name] ?? 0;
    return total;
  }

  /** See `ClientListener.hold`. */
  hold(options: HoldOptions): HeldListeners {
    const holds = this.#all.map((listener) => listener.hold(options));
    return {
      get settled() {
        return holds.every((hold) => hold.settled);
      },
      load: () => {
        const loads = holds.map((hold) => hold.load());
        const sum = (of: 'connections' | 'underWay') => loads.reduce((total, load) => total + load[of], 0);
        const oldest = Math.max(...loads.map((load) => load.oldest));
        return { connections: sum('connections'), underWay: sum('underWay'), oldest };
      },
      // The redirect of plain HTTP takes no time, and its clients come back by themselves.
      ignoreNew: (ignored) => this.#all.map((listener) => listener.ignoreNew(ignored)).every(Boolean),
      cut: async (olderThan) => void (await Promise.all(holds.map((hold) => hold.cut(olderThan)))),
      counts: () => {
        const sum = (of: keyof DrainResult) => holds.reduce((total, { counts }) => total + counts[of], 0);
        return { finished: sum('finished'), cut: sum('cut') };
      },
    };
  }

  /** See `ClientListener.drain`. The other edges stay connected to the https listener until both are drained. */
  async drain({ timeout, onLast }: { timeout: number; onLast: () => void }): Promise<DrainResult> {
    const others = this.#plain?.drain({ timeout });
    const drained = await Promise.all([this.#https.drain({ timeout, onLast, others }), others]);
    const sum = (of: keyof DrainResult) => drained.reduce((total, result) => total + (result?.[of] ?? 0), 0);
    return { finished: sum('finished'), cut: sum('cut') };
  }

  /** Closes what a drain leaves open. */
  async close(): Promise<void> {
    await this.#redirect?.close();
  }

  get #all(): ClientListener[] {
    return this.#plain ? [this.#https, this.#plain] : [this.#https];
  }
}
