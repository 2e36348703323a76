import type { X509Certificate } from 'node:crypto';
import { connect as connectPlain, isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { UsageError } from '../config-path.ts';

/** A server that is looked at. */
export interface TlsPlace {
  host: string;
  port: number;
}

/** What a server answered to a TLS handshake in which nothing was verified. */
export interface TlsAnswer {
  /** The certificates that the server sent, its own first. */
  chain: X509Certificate[];
  protocol: string;
  /** Of an answer's Date header; undefined: there was none, or it was not asked for. */
  date: Date | undefined;
}

/** Why there is no answer, with the code of the error. */
export class TlsProbeError extends Error {
  override readonly name = 'TlsProbeError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const TIMEOUT_MS = 5_000;
const MAX_HEAD = 16_384;
const MAX_CHAIN = 10;

/** Reads HOST, HOST:PORT, [ADDRESS]:PORT or an https URL. @throws UsageError */
export function readPlace(text: string): TlsPlace {
  const bare = text.replace(/^https:\/\//, '').replace(/\/.*$/, '');
  if (isIP(bare) === 6) return { host: bare, port: 443 };
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/@]+))(?::(\d{1,5}))?$/.exec(bare);
  const port = Number(found?.[3] ?? 443);
  const host = found?.[1] ?? found?.[2];
  if (host === undefined || port < 1 || port > 65_535)
    throw new UsageError(`${text} is no server; expected HOST or HOST:PORT, such as cr.example.io:443`);
  return { host, port };
}

/**
 * Makes a TLS connection without verifying anything.
 * @param how name: the name that is asked for in the handshake; default: the host. asksTime: whether the server is asked for the time
 * @throws TlsProbeError
 */
export async function probeTls(
  { host, port }: TlsPlace,
  { name = host, asksTime = false }: { name?: string; asksTime?: boolean } = {},
): Promise<TlsAnswer> {
  const socket = connect({
    ...{ host, port, ...(isIP(name) === 0 ? { servername: name } : {}) },
    rejectUnauthorized: false,
    // With no certificates of its own, Node adds none to the chain that was sent.
    ca: [],
    ALPNProtocols: ['http/1.1'],
  });
  const timer = setTimeout(() => socket.destroy(timeout(host, port)), TIMEOUT_MS);
  try {
    await opened(socket, 'secureConnect');
    const chain = chainOf(socket);
    return {
      chain,
      protocol: socket.getProtocol() ?? 'unknown',
      date: asksTime ? await dateOf(socket, name) : undefined,
    };
  } finally {
    clearTimeout(timer);
    socket.on('error', () => undefined).destroy();
  }
}

/** Whether the port speaks HTTP without TLS. */
export async function speaksPlainHttp({ host, port }: TlsPlace): Promise<boolean> {
  const socket = connectPlain({ host, port });
  const timer = setTimeout(() => socket.destroy(timeout(host, port)), TIMEOUT_MS);
  try {
    await opened(socket, 'connect');
    socket.write(`HEAD /v2/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    return /^HTTP\/1\.[01] /.test(await headOf(socket));
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    socket.on('error', () => undefined).destroy();
  }
}

function timeout(host: string, port: number): TlsProbeError {
  return new TlsProbeError('ETIMEDOUT', `${host}:${port} did not answer within ${TIMEOUT_MS / 1000} s`);
}

/** @throws TlsProbeError */
function opened(socket: TLSSocket | ReturnType<typeof connectPlain>, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const known = error instanceof TlsProbeError;
      reject(known ? error : new TlsProbeError(error.code ?? 'UNKNOWN', error.message, { cause: error }));
    });
    socket.once('close', () => reject(new TlsProbeError('ECONNRESET', 'the connection was closed')));
  });
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (next && chain.length < MAX_CHAIN && !chain.some((one) => one.fingerprint256 === next?.fingerprint256)) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

/** Undefined: the server did not tell. */
async function dateOf(socket: TLSSocket, name: string): Promise<Date | undefined> {
  try {
    socket.write(`HEAD /v2/ HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    const [, text] = /^date: *(.+?)\r?$/im.exec(await headOf(socket)) ?? [];
    const at = text === undefined ? Number.NaN : Date.parse(text);
    return Number.isNaN(at) ? undefined : new Date(at);
  } catch {
    return undefined;
  }
}

/** The head of an HTTP answer, as far as it came. */
function headOf(socket: TLSSocket | ReturnType<typeof connectPlain>): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const done = () => resolve(text);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes('\r\n\r\n') || text.length > MAX_HEAD) done();
    });
    for (const event of ['end', 'close', 'error']) socket.once(event, done);
  });
}
