import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Material } from '../../config/material.ts';
import type { CheckFinding } from './reachability.ts';

const EXPIRES_SOON_MS = 14 * 86_400_000;

/**
 * How long the certificates are valid, and whether clients will accept one of them for the hostname. The registry of a route may be used
 * only with `?ns=`, which needs no certificate.
 * @param now epoch milliseconds
 */
export function certificateFindings(
  hostname: string,
  files: readonly Pick<Material['tls'][number], 'certFile' | 'cert'>[],
  now: number,
): CheckFinding[] {
  const certificates = files.map(({ certFile, cert }) => ({ certFile, parsed: new X509Certificate(cert) }));
  const findings = certificates.map(({ certFile, parsed }) => validity(certFile, parsed.validToDate, now));
  if (certificates.some(({ parsed }) => hasName(parsed, hostname))) return findings;
  const bare = certificates.find(({ parsed }) => parsed.subjectAltName === undefined);
  if (bare)
    return [
      ...findings,
      {
        level: 'error',
        subject: bare.certFile,
        message: 'the certificate has no names in it, only a subject, so docker, containerd and podman refuse it',
        remedy: `make it again: breakwater cert leaf ${hostname}`,
      },
    ];
  const message = `no certificate has the name ${hostname}, so clients will refuse the connection`;
  return [...findings, { level: 'error', subject: 'tls', message, remedy: 'issue a certificate with that name' }];
}

function validity(subject: string, end: Date, now: number): CheckFinding {
  const left = end.getTime() - now;
  const day = end.toISOString().slice(0, 10);
  const remedy = 'renew it; Breakwater loads the changed file without a restart';
  if (left > EXPIRES_SOON_MS) return { level: 'ok', subject, message: `valid until ${day}` };
  if (left > 0) return { level: 'warning', subject, message: `expires on ${day}`, remedy };
  return { level: 'error', subject, message: `expired on ${day}`, remedy };
}

function hasName(certificate: X509Certificate, hostname: string): boolean {
  // Node throws if it is to look for an address that is none.
  // Programs in Go ignore the subject.
  const found =
    isIP(hostname) === 0 ? certificate.checkHost(hostname, { subject: 'never' }) : certificate.checkIP(hostname);
  return found !== undefined;
}
