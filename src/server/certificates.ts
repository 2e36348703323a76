import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { SecureVersion } from 'node:tls';
import tls from 'node:tls';

/** A certificate with its chain and its key, both PEM; `certFile` names it in messages and metrics. */
export interface CertificatePair {
  certFile: string;
  cert: string;
  key: string;
}

type SniCallback = (servername: string, done: (error: Error | null, context?: tls.SecureContext) => void) => void;

/** RFC 9113 section 9.2.2 forbids ciphers that are not ephemeral and authenticated, and all relevant clients support these. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

const PROTOCOL = {
  minVersion: 'TLSv1.2' satisfies SecureVersion,
  maxVersion: 'TLSv1.3' satisfies SecureVersion,
  ciphers: CIPHERS,
} as const;

interface Entry extends CertificatePair {
  leaf: X509Certificate;
  context: tls.SecureContext;
}

/** The edge's certificates: the first is the default, the others are chosen by their names. */
export class Certificates {
  #entries: Entry[];
  #server: Pick<tls.Server, 'setSecureContext'> | undefined;

  /** @throws Error that names the file, if a PEM is broken, a key does not fit, or there is no certificate */
  constructor(pairs: readonly CertificatePair[]) {
    this.#entries = pairs.map(readPair);
  }

  /** Options for `tls.createServer` and `http2.createSecureServer`. */
  serverOptions(): tls.SecureContextOptions & { SNICallback: SniCallback } {
    return {
      ...defaultContext(this.#entries),
      SNICallback: (servername, done) => {
        // An exception in this callback would end the process.
        try {
          done(null, this.#contextFor(servername));
        } catch (error) {
          done(error instanceof Error ? error : new Error(String(error)));
        }
      },
    };
  }

  /** Names the server whose default certificate `replace` swaps. */
  attach(server: Pick<tls.Server, 'setSecureContext'>): void {
    this.#server = server;
  }

  /**
   * Serves these certificates from the next handshake on; open connections continue.
   * @throws Error that names the file; the old certificates then stay in use
   */
  replace(pairs: readonly CertificatePair[]): void {
    const entries = pairs.map(readPair);
    this.#server?.setSecureContext(defaultContext(entries));
    this.#entries = entries;
  }

  /** The context for a name: an exact match before a wildcard; undefined means the default. */
  #contextFor(servername: string): tls.SecureContext | undefined {
    const exact = this.#entries.find((entry) => entry.leaf.checkHost(servername, { wildcards: false }) !== undefined);
    return (exact ?? this.#entries.find((entry) => entry.leaf.checkHost(servername) !== undefined))?.context;
  }

  /** Expiry of each certificate; epoch milliseconds. */
  expiries(): { file: string; expiresAt: number }[] {
    return this.#entries.map(({ certFile, leaf }) => ({ file: certFile, expiresAt: leaf.validToDate.getTime() }));
  }
}

function defaultContext(entries: readonly Entry[]): tls.SecureContextOptions {
  const first = entries[0];
  if (!first) throw new Error('TLS needs at least one certificate');
  return { cert: first.cert, key: first.key, ...PROTOCOL };
}

function readPair(pair: CertificatePair): Entry {
  try {
    const leaf = new X509Certificate(pair.cert);
    // createSecureContext ignores an empty key, and only the first handshake would fail.
    if (!leaf.checkPrivateKey(createPrivateKey(pair.key)))
      throw new Error('the key does not belong to the certificate');
    return { ...pair, leaf, context: tls.createSecureContext({ cert: pair.cert, key: pair.key, ...PROTOCOL }) };
  } catch (error) {
    throw new Error(`certificate ${pair.certFile}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
