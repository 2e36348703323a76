import type { X509Certificate } from 'node:crypto';
import { dayOf, titleOf } from './certificate-text.ts';

/** What a person wants to know of a certificate. */
export interface CertificateFacts {
  subject: string;
  issuer: string;
  /** Host names and addresses. */
  names: string[];
  from: string;
  until: string;
  /** Whole days to the end; negative: expired. */
  daysLeft: number;
  ca: boolean;
  selfSigned: boolean;
  key: string;
  /** SHA-256 of the certificate. */
  fingerprint: string;
}

const DAY = 86_400_000;

/** @param now epoch milliseconds */
export function certificateFacts(certificate: X509Certificate, now: number): CertificateFacts {
  return {
    subject: titleOf(certificate),
    issuer: titleOf(certificate, 'issuer'),
    names: certificateNames(certificate),
    from: certificate.validFromDate.toISOString(),
    until: certificate.validToDate.toISOString(),
    daysLeft: Math.floor((certificate.validToDate.getTime() - now) / DAY),
    ca: certificate.ca,
    selfSigned: isSelfSigned(certificate),
    key: keyKind(certificate),
    fingerprint: certificate.fingerprint256,
  };
}

/** The names in the extension that clients read; the common name does not count. */
export function certificateNames({ subjectAltName = '' }: X509Certificate): string[] {
  // A name with a comma or a quotation mark is written as a JSON string.
  const parts = subjectAltName?.match(/(?:DNS|IP Address):(?:"(?:[^"\\]|\\.)*"|[^,]*)/g) ?? [];
  return parts.map((part) => compactAddress(part.replace(/^(DNS|IP Address):/, '').trim()));
}

/** Node writes IPv6 addresses in full. */
function compactAddress(name: string): string {
  if (!/^[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4}){7}$/.test(name)) return name;
  return new URL(`http://[${name}]`).hostname.slice(1, -1);
}

export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && verifies(certificate, certificate);
}

/** Whether the key of the second certificate has signed the first one. */
export function verifies(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that OpenSSL does not know.
    return false;
  }
}

function keyKind(certificate: X509Certificate): string {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
    const { modulusLength, namedCurve } = asymmetricKeyDetails ?? {};
    if (modulusLength !== undefined) return `${asymmetricKeyType?.toUpperCase()} ${modulusLength}`;
    return namedCurve === undefined ? `${asymmetricKeyType}` : `EC ${namedCurve}`;
  } catch {
    return 'unknown';
  }
}

/** The facts in lines. */
export function factsText(facts: CertificateFacts): string {
  const { subject, issuer, names, from, until, daysLeft, ca, selfSigned, key, fingerprint } = facts;
  const rows = [
    ['subject', subject],
    ['issuer', selfSigned ? 'itself' : issuer],
    ['names', names.length > 0 ? names.join(', ') : ca ? 'none' : 'none: most clients refuse it'],
    ['valid', `${dayOf(new Date(from))} to ${dayOf(new Date(until))} (${leftText(daysLeft)})`],
    ['kind', ca ? 'CA' : 'server'],
    ['key', key],
    ['SHA-256', fingerprint],
  ];
  return rows.map(([title = '', value = '']) => `${title.padEnd(8)} ${value}`).join('\n');
}

function leftText(daysLeft: number): string {
  if (daysLeft < 0) return `expired ${-daysLeft} days ago`;
  return daysLeft === 1 ? '1 day left' : `${daysLeft} days left`;
}
