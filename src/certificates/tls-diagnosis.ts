import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { certificateNames, isSelfSigned, verifies } from './certificate-facts.ts';
import { dayOf, titleOf } from './certificate-text.ts';

/** What is wrong with a TLS server, as a client sees it. */
export type TlsProblem =
  | 'no-names'
  | 'wrong-name'
  | 'expired'
  | 'not-yet-valid'
  | 'expires-soon'
  | 'clock'
  | 'self-signed'
  | 'another-authority'
  | 'unknown-authority'
  | 'missing-intermediate'
  | 'not-an-authority'
  | 'wrong-usage'
  | 'weak'
  | 'refused'
  | 'plain-http'
  | 'unknown-host'
  | 'no-answer'
  | 'no-handshake';

export interface Diagnosis {
  level: 'error' | 'warning';
  problem: TlsProblem;
  message: string;
  remedy: string;
}

/** What is known of a server. Times are epoch milliseconds. */
export interface TlsEvidence {
  /** The name or address by which clients reach it. */
  name: string;
  /** As the server sent it, its own certificate first. */
  chain: readonly X509Certificate[];
  trusted: readonly X509Certificate[];
  /** Where the trusted certificates come from, such as `--ca ca.crt`. */
  trust: string;
  /** By the clock of this machine. */
  now: number;
  /** By the clock of the server; undefined: it did not tell. */
  serverTime: number | undefined;
}

const DAY = 86_400_000;
const SOON_MS = 14 * DAY;
/** Clocks may differ by this much. */
const CLOCK_MS = 5 * 60_000;
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const MIN_RSA_BITS = 2048;

/** Everything that makes clients refuse a certificate, not only what they say first. */
export function diagnoseTls(evidence: TlsEvidence): Diagnosis[] {
  const [leaf] = evidence.chain;
  if (!leaf) {
    const message = 'the server sent no certificate';
    return [error('no-handshake', message, 'give it a certificate: breakwater cert leaf')];
  }
  const { path, trusted } = pathOf(evidence);
  const checks = [
    nameProblem(leaf, evidence.name),
    ...path.map((one) => dateProblem(one, evidence, one === leaf)),
    clockProblem(path, evidence),
    trusted ? undefined : trustProblem(path, evidence),
    ...path.slice(1).map(authorityProblem),
    usageProblem(leaf),
    ...path.map((one) => strengthProblem(one)),
  ];
  return checks.filter((one) => one !== undefined);
}

/** The certificates from the server's own one to the last that is known, and whether that one is trusted. */
function pathOf({ chain, trusted }: TlsEvidence): { path: X509Certificate[]; trusted: boolean } {
  const path: X509Certificate[] = [];
  const isTrusted = (one: X509Certificate) =>
    trusted.some(({ fingerprint256 }) => fingerprint256 === one.fingerprint256);
  const known = [...trusted, ...chain];
  for (let next = chain[0]; next && !path.includes(next); ) {
    const current = next;
    path.push(current);
    if (isTrusted(current)) return { path, trusted: true };
    next = known.find((one) => one !== current && current.checkIssued(one) && verifies(current, one));
  }
  return { path, trusted: false };
}

function nameProblem(leaf: X509Certificate, name: string): Diagnosis | undefined {
  const names = certificateNames(leaf);
  if (names.length === 0) {
    const message = `the certificate has no names in it, only the subject ${titleOf(leaf)}. docker, containerd, podman and all other programs in Go ignore the subject`;
    return error(
      'no-names',
      message,
      `make it again with names: breakwater cert leaf ${name} (openssl req needs -addext "subjectAltName=${isIP(name) ? 'IP' : 'DNS'}:${name}")`,
    );
  }
  const found = isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name, { subject: 'never' });
  if (found !== undefined) return undefined;
  const message = `the certificate is for ${names.slice(0, 20).join(', ')}, and not for ${name}`;
  return error('wrong-name', message, `use one of these names, or issue it also for ${name}: breakwater cert leaf`);
}

function dateProblem(one: X509Certificate, { now }: TlsEvidence, isLeaf: boolean): Diagnosis | undefined {
  const what = isLeaf ? 'the certificate' : `the CA certificate ${titleOf(one)}`;
  const renew = isLeaf ? 'renew it: breakwater cert leaf --renew' : 'replace the CA: breakwater cert ca --with OLD';
  const [from, until] = [one.validFromDate, one.validToDate];
  if (until.getTime() <= now) return error('expired', `${what} expired on ${dayOf(until)}`, renew);
  if (from.getTime() > now) {
    const message = `${what} is valid only from ${from.toISOString()}, and here it is ${new Date(now).toISOString()}`;
    return error('not-yet-valid', message, 'compare the clock of this machine with another one: date -u');
  }
  if (until.getTime() - now > SOON_MS) return undefined;
  return { level: 'warning', problem: 'expires-soon', message: `${what} expires on ${dayOf(until)}`, remedy: renew };
}

/** A server whose certificate is fine by its own clock points at the clock of this machine. */
function clockProblem(path: readonly X509Certificate[], { now, serverTime }: TlsEvidence): Diagnosis | undefined {
  if (serverTime === undefined || Math.abs(serverTime - now) < CLOCK_MS) return undefined;
  const validAt = (at: number) =>
    path.every((one) => one.validFromDate.getTime() <= at && one.validToDate.getTime() > at);
  const message = `the clock of this machine says ${new Date(now).toISOString()}, and that of the server ${new Date(serverTime).toISOString()}`;
  const matters = validAt(now) !== validAt(serverTime);
  const remedy = matters
    ? 'by one of the two clocks the certificate is valid: set the wrong one (timedatectl set-ntp true)'
    : 'set the wrong one (timedatectl set-ntp true), before certificates seem expired';
  return { level: matters ? 'error' : 'warning', problem: 'clock', message, remedy };
}

function trustProblem(path: readonly X509Certificate[], evidence: TlsEvidence): Diagnosis | undefined {
  const { trusted, trust, chain } = evidence;
  const top = path.at(-1);
  if (!top) return undefined;
  const issuer = titleOf(top, 'issuer');
  const hand = 'give it to this machine: breakwater cert bundle; or try it here with --ca FILE';
  if (trusted.some(({ subject }) => subject === top.issuer))
    return error(
      'another-authority',
      `the certificate was signed by a CA named ${issuer}. ${trust} has a CA of the same name, but with another key`,
      `the CA was made anew, or there are two: ${hand}`,
    );
  if (isSelfSigned(top))
    return path.length === 1
      ? error(
          'self-signed',
          'the certificate is self-signed, so no client trusts it unless it was given to this client',
          `sign it by a CA (breakwater cert ca, breakwater cert leaf); or ${hand}`,
        )
      : error('another-authority', `the certificate comes from the CA ${issuer}, which is not in ${trust}`, hand);
  const sent = `the server sent ${chain.length === 1 ? 'only its own certificate' : `${chain.length} certificates`}. ${issuer} issued ${path.length === 1 ? 'it' : 'the last one'}, which was not sent and is not in ${trust}`;
  const download = /CA Issuers - URI:(\S+)/.exec(top.infoAccess ?? '')?.[1];
  if (download === undefined && !evidence.trust.startsWith('--ca'))
    return error(
      'unknown-authority',
      sent,
      `if ${issuer} is a private CA, ${hand}. If it is an intermediate, the server must send it after its own certificate (certFile)`,
    );
  const from = download === undefined ? '' : `, from ${printable(download)}`;
  return error(
    'missing-intermediate',
    sent,
    `append the certificate of ${issuer} to certFile of the server${from}; if ${issuer} is itself the CA, ${hand}`,
  );
}

function authorityProblem(one: X509Certificate): Diagnosis | undefined {
  if (one.ca) return undefined;
  const message = `${titleOf(one)} signed a certificate, but is no CA (its basic constraints say so)`;
  return error('not-an-authority', message, 'sign with a CA: breakwater cert ca, breakwater cert leaf');
}

function usageProblem({ keyUsage }: X509Certificate): Diagnosis | undefined {
  if (!keyUsage || keyUsage.includes(SERVER_AUTHENTICATION)) return undefined;
  const message = 'the certificate is not for servers (its extended key usage lacks serverAuth)';
  return error('wrong-usage', message, 'issue one for a server: breakwater cert leaf');
}

function strengthProblem(one: X509Certificate): Diagnosis | undefined {
  const bits = rsaBits(one);
  const remedy = 'make it again: breakwater cert leaf';
  if (bits !== undefined && bits < MIN_RSA_BITS)
    return error('weak', `the key of ${titleOf(one)} has ${bits} bits, and clients want ${MIN_RSA_BITS}`, remedy);
  // Nobody verifies what a root says of itself.
  if (!/sha1|md5/i.test(one.signatureAlgorithm ?? '') || isSelfSigned(one)) return undefined;
  return error('weak', `${titleOf(one)} is signed with ${one.signatureAlgorithm}, which clients refuse`, remedy);
}

function rsaBits(one: X509Certificate): number | undefined {
  try {
    return one.publicKey.asymmetricKeyType === 'rsa' ? one.publicKey.asymmetricKeyDetails?.modulusLength : undefined;
  } catch {
    return undefined;
  }
}

/** What a connection says that did not come to a certificate. */
export interface FailedConnection {
  host: string;
  port: number;
  /** Of the error, such as ECONNREFUSED. */
  code: string;
  message: string;
  /** Whether the port answers HTTP without TLS. */
  plainHttp: boolean;
}

export function diagnoseConnection({ host, port, code, message, plainHttp }: FailedConnection): Diagnosis {
  const place = `${host}:${port}`;
  if (plainHttp)
    return error(
      'plain-http',
      `${place} speaks HTTP without TLS`,
      'use the port of https (443, or listen.https), or give the server a certificate. Do not make clients accept it (insecure-registries): credentials would be readable',
    );
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return error('unknown-host', `the name ${host} does not resolve here`, `check DNS: getent hosts ${host}`);
  if (code === 'ECONNREFUSED')
    return error(
      'no-answer',
      `nothing listens on ${place}`,
      'is the edge running, and is it the right port? breakwater status',
    );
  if (['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code))
    return error(
      'no-answer',
      `${place} does not answer`,
      `check the route and firewalls on the way: ping ${host}, and that the port is open`,
    );
  if (code === 'ECONNRESET')
    return error(
      'no-handshake',
      `${place} closed the connection before it showed a certificate`,
      'is it a TLS port? A load balancer without a healthy server, or one that wants a PROXY header, does this too',
    );
  return error(
    'no-handshake',
    `${place} and this machine found no common TLS: ${printable(message)} (${code})`,
    'the server may speak only TLS 1.0 or 1.1, may not know this name, or may want a client certificate: look at its log',
  );
}

function error(problem: TlsProblem, message: string, remedy: string): Diagnosis {
  return { level: 'error', problem, message, remedy };
}

/** Text of others, short and without what a terminal would obey. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
