import { join } from 'node:path';
import type { Command } from 'commander';
import { dayOf, readCertificates } from '../../certificates/certificate-text.ts';
import { UsageError } from '../config-path.ts';
import { authorityFile, explained, readText, writePair } from './certificate-files.ts';
import { days, validFor } from './days.ts';

export interface AuthorityOptions {
  name?: string;
  days: number;
  output: string;
  with?: string;
  force?: boolean;
}

export function registerAuthority(cert: Command): void {
  cert
    .command('ca')
    .description(
      'Make a private CA: ca.crt, which clients must trust, and ca.key, which must stay secret. To replace a CA, name the old one with --with: trust.crt then holds both, for the time of the change.',
    )
    .option('--name <name>', 'name of the CA (default: Breakwater CA and the date of today)')
    .option('--days <days>', 'how long it is valid', days, 3650)
    .option('--output <folder>', 'folder for the files', 'ca')
    .option('--with <old>', 'folder or certificate of the CA that this one will replace')
    .option('--force', 'replace files that exist')
    .action(async (options: AuthorityOptions) => {
      const { certFile, keyFile, trustFile, until } = await writeAuthority(options, Date.now());
      const lines = [
        `made a CA that is valid until ${dayOf(until)}`,
        `${certFile}  for every client that talks to the edge`,
        `${keyFile}  secret: whoever has it can pretend to be any server; keep it off the edge`,
        ...(trustFile === undefined
          ? [`next: breakwater cert leaf NAME --ca ${options.output}`]
          : [
              `${trustFile}  the old and the new CA: give it to every client first`,
              `then: breakwater cert leaf NAME --ca ${options.output}; when no edge has a certificate of the old CA, give clients ${certFile}`,
            ]),
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    });
}

/** Makes a CA and writes its files. @param now epoch milliseconds */
export async function writeAuthority(
  { name, days: count, output, with: old, force = false }: AuthorityOptions,
  now: number,
): Promise<{ certFile: string; keyFile: string; trustFile: string | undefined; until: Date }> {
  if (name !== undefined && !/^[\x20-\x7e]{1,64}$/.test(name))
    throw new UsageError('--name must have 1 to 64 characters of ASCII');
  const before = old === undefined ? undefined : await oldAuthority(old, now);
  const validity = validFor(count, now);
  const { makeAuthority } = await import('../../certificates/certificate-maker.ts');
  const made = await makeAuthority({ name: name ?? `Breakwater CA ${dayOf(new Date(now))}`, ...validity });
  const trustFile = before === undefined ? undefined : join(output, 'trust.crt');
  const more = trustFile === undefined ? [] : [{ path: trustFile, content: `${made.cert}${before}`, mode: 0o644 }];
  return { ...(await writePair(output, 'ca', made, { force, more })), trustFile, until: validity.until };
}

/** The certificates of the old CA that clients still need, PEM. */
async function oldAuthority(place: string, now: number): Promise<string> {
  const file = await authorityFile(place);
  const text = await readText(file);
  const all = await explained(file, () => readCertificates(text, 'it'));
  const wanted = all.filter((one) => one.ca && one.validToDate.getTime() > now);
  if (wanted.length === 0)
    throw new UsageError(`${file} has no CA that is still valid, so there is nothing to overlap: leave --with away`);
  return wanted.map((one) => `${String(one).trimEnd()}\n`).join('');
}
