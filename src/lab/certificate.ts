// Before x509: its dependency injection reads metadata when it is loaded.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

export interface CertificateOptions {
  /** Host names and addresses beside localhost, 127.0.0.1 and ::1. */
  names?: readonly string[];
  /** Default 30. Negative: expired. */
  days?: number;
  /** Whether an authority of its own signs it; without, it signs itself. */
  authority?: boolean;
}

/** All PEM. */
export interface MadeCertificate {
  /** With the authority's certificate after it, if there is one. */
  cert: string;
  key: string;
  /** What a client must trust: the authority, or the certificate itself. */
  ca: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 86_400_000;

/** Makes a server certificate (ECDSA P-256) that nobody should trust for longer than a session. */
export async function makeCertificate({
  names = [],
  days = 30,
  authority = false,
}: CertificateOptions = {}): Promise<MadeCertificate> {
  x509.cryptoProvider.set(webcrypto as Crypto);
  const signer = authority ? await make('CN=breakwater lab authority', days, authorityExtensions()) : undefined;
  const own = await make('CN=breakwater lab', days, serverExtensions(names, !signer), signer);
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', own.keys.privateKey), 'PRIVATE KEY');
  const [cert, ca] = [pem(own), pem(signer ?? own)];
  return { cert: signer ? cert + ca : cert, key: `${key}\n`, ca };
}

interface Made {
  certificate: x509.X509Certificate;
  keys: webcrypto.CryptoKeyPair;
}

/** @param signer undefined: it signs itself */
async function make(subject: string, days: number, extensions: x509.Extension[], signer?: Made): Promise<Made> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const issuer = signer?.keys ?? keys;
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: signer?.certificate.subject ?? subject,
    // An hour back, for clocks that differ.
    notBefore: new Date(Date.now() - 3_600_000 - (days < 0 ? 60 * DAY : 0)),
    notAfter: new Date(Date.now() + days * DAY),
    serialNumber: serial(),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuer.privateKey,
    extensions: [
      ...extensions,
      // Strict clients want both (RFC 5280 section 4.2.1.1).
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate, keys };
}

function authorityExtensions(): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ];
}

function serverExtensions(names: readonly string[], selfSigned: boolean): x509.Extension[] {
  const all = [...new Set(['localhost', '127.0.0.1', '::1', ...names])];
  return [
    new x509.BasicConstraintsExtension(selfSigned, undefined, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(all.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
  ];
}

/** Positive and never the same, as RFC 5280 section 4.1.2.2 wants it. */
function serial(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

function pem({ certificate }: Made): string {
  return `${certificate.toString('pem')}\n`;
}
