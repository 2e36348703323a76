import { isIP } from 'node:net';
import type { AcmeConfig } from './acme-schema.ts';
import type { KeyFinding } from './key-path.ts';
import type { Config } from './schema.ts';

/** The part of the configuration about ACME, with the names of the certificate; undefined: files are named. */
export function acmeOf(
  config: Pick<Config, 'tls' | 'hostname' | 'aliases'>,
): { acme: AcmeConfig; names: string[] } | undefined {
  const { tls } = config;
  if (Array.isArray(tls) || !('acme' in tls)) return undefined;
  const own = [config.hostname, ...config.aliases].filter((name) => isPublicName(name));
  return { acme: tls.acme, names: [...new Set(tls.acme.names ?? own)] };
}

/** The files that `tls` names; none with `tls.acme`. */
export function certificateFiles({ tls }: Pick<Config, 'tls'>): { certFile: string; keyFile: string }[] {
  return [tls].flat().filter((one) => 'certFile' in one);
}

/** Whether a public CA may issue a certificate for it. */
function isPublicName(name: string): boolean {
  return isIP(name.replace(/^\[|\]$/g, '')) === 0 && /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(name);
}

export function acmeErrors(config: Config): KeyFinding[] {
  const found = acmeOf(config);
  if (!found) return [];
  const { acme, names } = found;
  const path = ['tls', 'acme'];
  const findings: KeyFinding[] = [];
  if (names.length === 0)
    findings.push({
      path,
      message: `${config.hostname} is no full host name, so no ACME server issues a certificate for it`,
      remedy: 'set names, or make the certificate with breakwater cert leaf',
    });
  if (acme.dir === undefined && config.peers.length === 0)
    findings.push({
      path,
      message: 'needs dir: without a folder, each start would order another certificate',
      remedy: 'add dir: acme; only an edge with peers that have one may leave it away',
    });
  if (acme.challenge === 'http-01' && config.listen.http === undefined)
    findings.push({
      path: [...path, 'challenge'],
      message: 'http-01 needs listen.http, where the ACME server asks for the answer',
      remedy: 'add http: 0.0.0.0:80 to listen',
    });
  const wildcard = names.find((name) => name.startsWith('*.'));
  if (acme.challenge === 'http-01' && wildcard !== undefined)
    findings.push({
      path: [...path, 'names'],
      message: `${wildcard} cannot be verified by http-01`,
      remedy: 'set challenge: dns-01 and dns.command',
    });
  if (acme.challenge === 'dns-01' && acme.dir !== undefined && acme.dns.command === undefined)
    findings.push({
      path: [...path, 'dns'],
      message: 'dns-01 needs dns.command, the program that changes DNS',
      remedy: 'add dns: { command: [/etc/breakwater/change-dns] }',
    });
  return findings;
}
