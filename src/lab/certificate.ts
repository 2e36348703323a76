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
  const keys = await generate();
  const signer = authority ? await makeAuthority(days) : undefined;
  const common = {
    ...validity(days),
    subject: 'CN=breakwater lab',
    serialNumber: serial(),
    signingAlgorithm: ALGORITHM,
    extensions: [...serverExtensions(names, !signer), ...(await keyIdentifiers(keys, signer?.keys ?? keys))],
  };
  const certificate = signer
    ? await x509.X509CertificateGenerator.create({
        ...common,
        issuer: signer.certificate.subject,
        publicKey: keys.publicKey,
        signingKey: signer.keys.privateKey,
      })
    : await x509.X509CertificateGenerator.createSelfSigned({ ...common, name: common.subject, keys });
  const own = pem(certificate);
  const ca = signer ? pem(signer.certificate) : own;
  return { cert: signer ? own + ca : own, key: await keyPem(keys.privateKey), ca };
}

async function makeAuthority(
  days: number,
): Promise<{ certificate: x509.X509Certificate; keys: webcrypto.CryptoKeyPair }> {
  const keys = await generate();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(days),
    name: 'CN=breakwater lab authority',
    serialNumber: serial(),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ...(await keyIdentifiers(keys, keys)),
    ],
  });
  return { certificate, keys };
}

async function generate(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  // An hour back, for clocks that differ.
  const start = Date.now() - 3_600_000 - (days < 0 ? 60 * DAY : 0);
  return { notBefore: new Date(start), notAfter: new Date(Date.now() + days * DAY) };
}

function serverExtensions(names: readonly string[], selfSigned: boolean): x509.Extension[] {
  const all = [...new Set(['localhost', '127.0.0.1', '::1', ...names])];
  return [
    new x509.BasicConstraintsExtension(selfSigned, undefined, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(all.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
  ];
}

/** Strict clients want both (RFC 5280 section 4.2.1.1). */
async function keyIdentifiers(
  own: webcrypto.CryptoKeyPair,
  issuer: webcrypto.CryptoKeyPair,
): Promise<x509.Extension[]> {
  return [
    await x509.SubjectKeyIdentifierExtension.create(own.publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
}

/** Positive and never the same, as RFC 5280 section 4.1.2.2 wants it. */
function serial(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}
