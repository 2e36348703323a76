// Before x509: its dependency injection reads metadata when it is loaded.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto, type X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { CertificateError, dayOf, isCertificateName, readCertificates, titleOf } from './certificate-text.ts';

/** A certificate and its private key, both PEM. A leaf's `cert` has the certificates of its authority after it. */
export interface KeyedCertificate {
  cert: string;
  key: string;
}

export interface Validity {
  from: Date;
  until: Date;
}

export interface LeafOptions extends Validity {
  /** Host names, wildcards and addresses, at least one. The first one is also the subject. */
  names: readonly string[];
  /** Undefined: the leaf signs itself. */
  authority?: KeyedCertificate | undefined;
  /** A private key to use again, PEM. Undefined: a new one. */
  key?: string | undefined;
  /** Subject; default: the first name. */
  subject?: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
/** RFC 5280, upper bound of a common name. */
const MAX_COMMON_NAME = 64;

/** Makes a CA that signs leaves, and no further CA. ECDSA P-256. */
export async function makeAuthority({ name, from, until }: { name: string } & Validity): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const certificate = await sign({
    ...{ subject: commonName(name), from, until, publicKey: keys.publicKey },
    signer: { subject: commonName(name), keys },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return { cert: pem(certificate), key: await keyPem(keys.privateKey) };
}

/**
 * Makes the certificate of a server. Its end is never after that of its authority.
 * @throws CertificateError for a name that no certificate may have, or an authority that cannot sign
 */
export async function makeLeaf(options: LeafOptions): Promise<KeyedCertificate> {
  const { names, authority, key, from, subject = names[0] ?? '' } = options;
  const wrong = names.find((name) => !isCertificateName(name));
  if (wrong !== undefined || names.length === 0)
    throw new CertificateError(
      `${wrong ?? 'no name'} cannot be in a certificate: expected a host name, *.example.io, or an address`,
    );
  const keys = key === undefined ? await newKeys() : await keysOf(key, 'the key of the leaf');
  const own = commonName(subject);
  const parent = authority && signerCertificate(authority, from);
  const signer =
    authority && parent
      ? { subject: new x509.X509Certificate(parent.raw).subjectName, keys: await keysOf(authority.key, "the CA's key") }
      : { subject: own, keys };
  const end = parent && parent.validToDate < options.until ? parent.validToDate : options.until;
  const certificate = await sign({
    ...{ subject: own, from, until: end, publicKey: keys.publicKey, signer },
    extensions: [
      new x509.BasicConstraintsExtension(!parent, undefined, true),
      ...(parent ? [new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true)] : []),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        [...new Set(names)].map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })),
      ),
    ],
  });
  const above = authority ? chainFrom(authority.cert) : [];
  return { cert: [pem(certificate), ...above].join(''), key: key ?? (await keyPem(keys.privateKey)) };
}

/** Makes a new key, and the request for a certificate of these names (PKCS #10). @returns DER, and the key as PEM */
export async function makeRequest(names: readonly string[]): Promise<{ request: Buffer; key: string }> {
  x509.cryptoProvider.set(webcrypto as Crypto);
  const keys = await newKeys();
  const common = names.find((name) => name.length <= MAX_COMMON_NAME);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    // A CA refuses a common name that is not among the names, so a shortened one will not do.
    ...{ name: common === undefined ? new x509.Name([]) : commonName(common), keys, signingAlgorithm: ALGORITHM },
    extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
  });
  return { request: Buffer.from(made.rawData), key: await keyPem(keys.privateKey) };
}

/** The certificate that signs. @throws CertificateError if it is no CA, is not valid at `at`, or the key is another one's */
function signerCertificate({ cert, key }: KeyedCertificate, at: Date): X509Certificate {
  const [parent] = readCertificates(cert, 'the CA');
  if (!parent) throw new CertificateError('the CA has no certificate');
  const title = `the CA ${titleOf(parent)}`;
  if (!parent.ca) throw new CertificateError(`${title} is the certificate of a server and cannot sign others`);
  if (parent.validToDate <= at)
    throw new CertificateError(
      `${title} expired on ${dayOf(parent.validToDate)}, so no client would trust what it signs. Make a new CA: breakwater cert ca`,
    );
  if (!parent.checkPrivateKey(readKey(key, "the CA's key")))
    throw new CertificateError(`the key does not belong to ${title}`);
  return parent;
}

/** The first certificate of a CA file and those above it, without others that are in the file. */
function chainFrom(text: string): string[] {
  const all = readCertificates(text, 'the CA');
  const chain: X509Certificate[] = [];
  for (let next = all[0]; next && !chain.includes(next); ) {
    chain.push(next);
    const child = next;
    next = all.find((one) => one !== child && child.checkIssued(one) && child.verify(one.publicKey));
  }
  return chain.map(String).map((one) => `${one.trimEnd()}\n`);
}

interface Signing extends Validity {
  subject: x509.Name;
  publicKey: webcrypto.CryptoKey;
  signer: { subject: x509.Name; keys: webcrypto.CryptoKeyPair };
  extensions: x509.Extension[];
}

async function sign({ subject, from, until, publicKey, signer, extensions }: Signing): Promise<x509.X509Certificate> {
  x509.cryptoProvider.set(webcrypto as Crypto);
  return await x509.X509CertificateGenerator.create({
    ...{ subject, issuer: signer.subject, notBefore: from, notAfter: until, serialNumber: serial(), publicKey },
    signingKey: signer.keys.privateKey,
    signingAlgorithm: { ...signer.keys.privateKey.algorithm, hash: 'SHA-256' },
    extensions: [
      ...extensions,
      // Strict clients want both (RFC 5280 section 4.2.1.1).
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
    ],
  });
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

/** The pair of a private key. Companies' CAs may have RSA keys or other curves. */
async function keysOf(text: string, title: string): Promise<webcrypto.CryptoKeyPair> {
  const key = readKey(text, title);
  const named: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
  const curve = named[key.asymmetricKeyDetails?.namedCurve ?? ''];
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : key.asymmetricKeyType === 'ec' && curve !== undefined
        ? { name: 'ECDSA', namedCurve: curve }
        : undefined;
  if (!algorithm) throw new CertificateError(`${title} is of a kind that cannot be used here; expected ECDSA or RSA`);
  return {
    privateKey: key.toCryptoKey(algorithm, true, ['sign']),
    publicKey: createPublicKey(key).toCryptoKey(algorithm, true, ['verify']),
  };
}

function readKey(text: string, title: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(text);
  } catch {
    throw new CertificateError(`${title} is no private key in PEM form that can be read without a passphrase`);
  }
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

/** A long name is shortened; clients read the alternative names. */
function commonName(name: string): x509.Name {
  return new x509.Name([{ CN: [name.slice(0, MAX_COMMON_NAME)] }]);
}

/** Positive and never the same, as RFC 5280 section 4.1.2.2 wants it. */
function serial(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
