import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Command } from 'commander';
import { certificateNames } from '../../certificates/certificate-facts.ts';
import type { KeyedCertificate } from '../../certificates/certificate-maker.ts';
import { dayOf, readCertificates } from '../../certificates/certificate-text.ts';
import { UsageError } from '../config-path.ts';
import { explained, readAuthority, readText, replaceCertificate, writePair } from './certificate-files.ts';
import { days, daysUntil, validFor } from './days.ts';

export interface LeafCommandOptions {
  ca: string;
  caKey?: string;
  days: number;
  output: string;
  renew?: boolean;
  before: number;
  force?: boolean;
}

export function registerLeaf(cert: Command): void {
  cert
    .command('leaf')
    .argument('[names...]', 'host names, wildcards and addresses: the hostname, each edge, and the VIP')
    .description(
      'Make the certificate of an edge, signed by a CA of `cert ca`: tls.crt and tls.key. With --renew, replace tls.crt before its end and keep its names and its key; a running edge loads it at once.',
    )
    .option('--ca <place>', 'folder with ca.crt and ca.key, or the certificate of the CA', 'ca')
    .option('--ca-key <file>', 'key of the CA (default: beside its certificate)')
    .option('--days <days>', 'how long it is valid, but never longer than its CA', days, 397)
    .option('--output <folder>', 'folder for the files', '.')
    .option('--renew', 'renew the certificate that is there, if its end is near')
    .option('--before <days>', 'with --renew: renew if it ends within this time', days, 30)
    .option('--force', 'replace files that exist; with --renew: renew now, also with other names')
    .action(async (names: string[], options: LeafCommandOptions) => {
      process.stdout.write(await (options.renew ? renewLeaf : writeLeaf)(names, options, Date.now()));
    });
}

/** Makes a certificate and its key. @returns what was done */
export async function writeLeaf(names: readonly string[], options: LeafCommandOptions, now: number): Promise<string> {
  if (names.length === 0) throw new UsageError('name at least one host name or address, such as cr.example.io');
  const authority = await readAuthority(options.ca, options.caKey);
  const { makeLeaf } = await import('../../certificates/certificate-maker.ts');
  const made = await explained(options.ca, () => makeLeaf({ names, authority, ...validFor(options.days, now) }));
  const { certFile, keyFile } = await writePair(options.output, 'tls', made, { force: options.force === true });
  return `${madeText(made, options.days, now)}\ntls: { certFile: ${certFile}, keyFile: ${keyFile} }\n`;
}

/**
 * Replaces a certificate whose end is near. The key stays, so that one rename changes everything: at no moment do certificate and key differ.
 * @returns what was done
 */
export async function renewLeaf(names: readonly string[], options: LeafCommandOptions, now: number): Promise<string> {
  const [certFile, keyFile] = [join(options.output, 'tls.crt'), join(options.output, 'tls.key')];
  const text = await readText(certFile);
  const [present] = await explained(certFile, () => readCertificates(text, 'it'));
  if (!present) throw new UsageError(`${certFile} holds no certificate`);
  const known = certificateNames(present);
  const same = names.length === 0 || sameNames(names, known);
  if (!same && !options.force)
    throw new UsageError(
      `${certFile} is for ${known.join(', ')}: renew it with these names, or give it others with --force`,
    );
  const left = daysUntil(present.validToDate, now);
  if (left >= options.before && !options.force)
    return `${certFile} is valid until ${dayOf(present.validToDate)}, for ${left} more days; nothing to do\n`;
  const key = await readText(keyFile);
  const authority = await readAuthority(options.ca, options.caKey);
  const { makeLeaf } = await import('../../certificates/certificate-maker.ts');
  const made = await explained(options.ca, () =>
    makeLeaf({ names: names.length > 0 ? names : known, authority, key, ...validFor(options.days, now) }),
  );
  await replaceCertificate(certFile, made.cert);
  return `${madeText(made, options.days, now)}\n${certFile} was replaced; its key stays\n`;
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  const sorted = (names: readonly string[]) => [...new Set(names.map((name) => name.toLowerCase()))].sort().join(' ');
  return sorted(some) === sorted(others);
}

function madeText({ cert }: KeyedCertificate, wanted: number, now: number): string {
  const leaf = new X509Certificate(cert);
  const text = `made a certificate for ${certificateNames(leaf).join(', ')}, valid until ${dayOf(leaf.validToDate)}`;
  const left = daysUntil(leaf.validToDate, now);
  return left + 1 < wanted ? `${text}: the end of its CA, which has to be replaced before` : text;
}
