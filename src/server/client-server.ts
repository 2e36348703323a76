import http, { type Server as HttpServer } from 'node:http';
import http2, { type Http2SecureServer, type SecureServerOptions } from 'node:http2';
import type { Certificates } from './certificates.ts';
import { FLOOD_BOUNDS } from './flood-guard.ts';

/** Time limits in milliseconds. */
export interface ListenerTimings {
  /** TLS handshake. */
  handshake: number;
  /** From the connection, or the end of the last request, to the end of the next request's headers (HTTP/1.1). */
  headers: number;
  /** Interval of the checks for stalled clients. */
  sweep: number;
  /** Time for a closing connection to end. */
  grace: number;
}

export const DEFAULT_TIMINGS: ListenerTimings = {
  handshake: 10_000,
  headers: 20_000,
  sweep: 5_000,
  grace: 1_000,
};

/** Bounds on what a client may cost; `limits` of the configuration. */
export interface ListenerLimits {
  /** Connections at once. */
  connections: number;
  /** Request line and headers together, and trailers. Over HTTP/2, the size of the header list (RFC 9113 section 6.5.2). */
  headerBytes: number;
  /** Milliseconds for which a client may neither send nor read bytes that it owes. */
  clientIdle: number;
  /** Milliseconds for which a connection or session is kept without a request. */
  keepAlive: number;
}

/**
 * Node resets an HTTP/2 stream whose header list is longer than the announced bound. The edge announces a multiple of its own, so that a
 * client with a list between the two gets a 431.
 */
const ANNOUNCED_HEADER_LISTS = 4;

/** Fields of one HTTP/2 request, beyond which Node resets the stream. At the default of `headerBytes`, the bytes decide before. */
const HEADER_PAIRS = 4096;

/** Bytes that a stream may send before they are read: enough for 100 MB/s at 10 ms. */
const STREAM_WINDOW = 1_048_576;

/** A port for clients: TLS for HTTP/1.1 and HTTP/2, or plain HTTP/1.1. */
export type ClientServer = Http2SecureServer | HttpServer;

/** @param certificates undefined: plain HTTP/1.1 */
export function createClientServer(
  certificates: Certificates | undefined,
  limits: ListenerLimits,
  timings: ListenerTimings,
): ClientServer {
  const options = http1Options(limits, timings);
  const server = certificates ? createTlsServer(certificates, options, limits, timings) : http.createServer(options);
  applyLimits(server, limits);
  return server;
}

/** The server's event for a connection on which requests may come: that of a TLS server waits for the handshake. */
export function readyEvent(server: ClientServer): 'secureConnection' | 'connection' {
  return isTls(server) ? 'secureConnection' : 'connection';
}

/** Takes new limits for connections that come from now on. */
export function applyLimits(server: ClientServer, limits: ListenerLimits): void {
  // Node destroys further connections before any handshake.
  server.maxConnections = limits.connections;
  Object.assign(server, { maxHeaderSize: limits.headerBytes, keepAliveTimeout: limits.keepAlive });
  if (isTls(server)) server.updateSettings({ maxHeaderListSize: ANNOUNCED_HEADER_LISTS * limits.headerBytes });
}

function isTls(server: ClientServer): server is Http2SecureServer {
  return 'updateSettings' in server;
}

/** They hold for HTTP/1.1 over TLS and without it. */
function http1Options(limits: ListenerLimits, timings: ListenerTimings): http.ServerOptions {
  return {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    headersTimeout: timings.headers,
    // Node's default of five minutes would end running uploads; `StallWatch` finds the stalled ones.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAlive,
    connectionsCheckingInterval: Math.min(timings.headers / 4, timings.sweep),
    maxHeaderSize: limits.headerBytes,
    insecureHTTPParser: false,
    rejectNonStandardBodyWrites: true,
    // `guardRequest` checks this and answers with a body that clients show.
    requireHostHeader: false,
  };
}

/** One port for HTTP/1.1 and HTTP/2: the options of this one server hold for both. */
function createTlsServer(
  certificates: Certificates,
  options: http.ServerOptions,
  limits: ListenerLimits,
  timings: ListenerTimings,
): Http2SecureServer {
  const server = http2.createSecureServer({
    ...certificates.serverOptions(),
    ...options,
    allowHTTP1: true,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: timings.handshake,
    // HTTP/2
    settings: {
      maxConcurrentStreams: 128,
      initialWindowSize: STREAM_WINDOW,
      maxHeaderListSize: ANNOUNCED_HEADER_LISTS * limits.headerBytes,
      enablePush: false,
    },
    maxHeaderListPairs: HEADER_PAIRS,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxSettings: 32,
    streamResetBurst: FLOOD_BOUNDS.resets.burst,
    streamResetRate: FLOOD_BOUNDS.resets.perSecond,
  } as SecureServerOptions);
  certificates.attach(server);
  return server;
}
