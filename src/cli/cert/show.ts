import type { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { certificateFacts, factsText } from '../../certificates/certificate-facts.ts';
import { readCertificates } from '../../certificates/certificate-text.ts';
import { UsageError } from '../config-path.ts';
import { authorityFile, explained, readText } from './certificate-files.ts';
import { probeTls, readPlace, TlsProbeError } from './tls-probe.ts';

export function registerShow(cert: Command): void {
  cert
    .command('show')
    .argument('<place>', 'file or folder, or a server as HOST or HOST:PORT')
    .description('Show the certificates of a file, or those that a server sends. Exit status 1 if one has expired.')
    .option('--json', 'print JSON')
    .action(async (place: string, options: { json?: boolean }) => {
      const now = Date.now();
      const found = await certificatesAt(place);
      if (typeof found === 'string') {
        process.stderr.write(`breakwater: ${found}\n`);
        process.exitCode = 1;
        return;
      }
      const facts = found.map((one) => certificateFacts(one, now));
      const text = facts.map(factsText).join('\n\n');
      process.stdout.write(options.json ? `${JSON.stringify(facts, null, 2)}\n` : `${text}\n`);
      if (facts.some(({ until }) => Date.parse(until) <= now)) process.exitCode = 1;
    });
}

/** @returns why a server sent none, in words */
export async function certificatesAt(place: string): Promise<X509Certificate[] | string> {
  if (existsSync(place)) {
    const file = await authorityFile(place);
    return explained(file, async () => readCertificates(await readText(file), 'it'));
  }
  if (/^[./~]|\.(crt|pem|cer)$/.test(place)) throw new UsageError(`${place} does not exist`);
  try {
    return (await probeTls(readPlace(place))).chain;
  } catch (error) {
    if (!(error instanceof TlsProbeError)) throw error;
    return `${place} sent no certificate: ${error.message}. breakwater cert doctor ${place} says more`;
  }
}
