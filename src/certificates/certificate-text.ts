import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

// Certificates as text. The library that makes them is not loaded here, because most commands and the edge make none.

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Why a certificate cannot be made, in words for the operator. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** Whether a certificate may have this name: a host name, with a wildcard as its first label or without, or an address. */
export function isCertificateName(name: string): boolean {
  const label = '[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?';
  return isIP(name) !== 0 || (name.length <= 253 && new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`).test(name));
}

/** The certificates of a PEM text as they stand there, and nothing else of it, such as a key beside them. */
export function certificateBlocks(text: string): string[] {
  return text.match(BLOCK) ?? [];
}

/** The certificates of a PEM text, in their order. @throws CertificateError if one cannot be read, or there is none */
export function readCertificates(text: string, source: string): X509Certificate[] {
  const blocks = certificateBlocks(text);
  if (blocks.length === 0) throw new CertificateError(`${source} holds no certificate in PEM form`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new CertificateError(`certificate ${index + 1} of ${blocks.length} in ${source} cannot be read`);
    }
  });
}

/** The subject of a certificate in one line, with characters that a terminal shows as they are. */
export function titleOf(certificate: X509Certificate, part: 'subject' | 'issuer' = 'subject'): string {
  return (certificate[part] ?? '').replace(/\n/g, ', ').replace(/[^\x20-\x7e]/g, '?') || '(no name)';
}

export function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
