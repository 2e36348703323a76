import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, rootCertificates } from 'node:tls';
import type { Command } from 'commander';
import { readCertificates } from '../../certificates/certificate-text.ts';
import { type Diagnosis, diagnoseConnection, diagnoseTls } from '../../certificates/tls-diagnosis.ts';
import { authorityFile, explained, readText } from './certificate-files.ts';
import { probeTls, readPlace, speaksPlainHttp, type TlsAnswer, type TlsPlace, TlsProbeError } from './tls-probe.ts';

export interface DoctorOptions {
  ca?: string;
  name?: string;
  json?: boolean;
}

export function registerDoctor(cert: Command): void {
  cert
    .command('doctor')
    .argument('<server>', 'HOST or HOST:PORT, as clients name it')
    .description('Explain why clients refuse the TLS of a server, and what to do. Exit status 1 if they do.')
    .option('--ca <place>', 'file or folder of the CA that clients trust (default: the CAs of this machine)')
    .option('--name <name>', 'the name that clients use, if the server is asked by its address')
    .option('--json', 'print JSON')
    .action(async (server: string, options: DoctorOptions) => {
      const found = await examine(readPlace(server), options);
      process.stdout.write(options.json ? `${JSON.stringify(found, null, 2)}\n` : diagnosisText(server, found));
      if (found.some(({ level }) => level === 'error')) process.exitCode = 1;
    });
}

/** All that is wrong with a server. @throws UsageError if the CA cannot be read */
export async function examine(place: TlsPlace, { ca, name = place.host }: DoctorOptions): Promise<Diagnosis[]> {
  const { trusted, trust } = await trustOf(ca);
  let answer: TlsAnswer;
  try {
    answer = await probeTls(place, { name, asksTime: true });
  } catch (error) {
    if (!(error instanceof TlsProbeError)) throw error;
    // Only a port that is open, and does not speak TLS, may speak plain HTTP.
    const plainHttp =
      error.code.startsWith('ERR_SSL') || error.code === 'EPROTO' ? await speaksPlainHttp(place) : false;
    return [diagnoseConnection({ ...place, code: error.code, message: error.message, plainHttp })];
  }
  const found = diagnoseTls({
    ...{ name, chain: answer.chain, trusted, trust },
    now: Date.now(),
    serverTime: answer.date?.getTime(),
  });
  if (found.some(({ level }) => level === 'error')) return found;
  const refusal = await verify(place, name, trusted);
  return refusal === undefined ? found : [...found, refusedBecause(refusal)];
}

/** A refusal of OpenSSL that the diagnosis does not know. */
function refusedBecause(text: string): Diagnosis {
  const remedy = 'ask breakwater cert show HOST:PORT for all certificates that were sent';
  return { level: 'error', problem: 'refused', message: `the certificate is refused: ${text}`, remedy };
}

/** The CAs that verify, and what to call them. */
async function trustOf(ca: string | undefined): Promise<{ trusted: X509Certificate[]; trust: string }> {
  if (ca !== undefined) {
    const file = await authorityFile(ca);
    const text = await readText(file);
    return { trusted: await explained(file, () => readCertificates(text, 'it')), trust: `--ca ${file}` };
  }
  for (const file of systemFiles()) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text?.includes('BEGIN CERTIFICATE'))
      return {
        trusted: await explained(file, () => readCertificates(text, 'it')),
        trust: `the system's CAs (${file})`,
      };
  }
  const text = rootCertificates.join('\n');
  return { trusted: readCertificates(text, 'Node.js'), trust: 'the CAs of Node.js, as this system has none' };
}

/** Where programs in Go, such as docker, look for CAs (crypto/x509/root_linux.go, November 2026); the first file counts. */
function systemFiles(): string[] {
  const named = process.env.SSL_CERT_FILE;
  if (named) return [named];
  return [
    '/etc/ssl/certs/ca-certificates.crt',
    '/etc/pki/tls/certs/ca-bundle.crt',
    '/etc/ssl/ca-bundle.pem',
    '/etc/pki/tls/cacert.pem',
    '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
    '/etc/ssl/cert.pem',
  ];
}

/** A handshake that verifies everything. @returns the reason of a refusal */
function verify({ host, port }: TlsPlace, name: string, trusted: X509Certificate[]): Promise<string | undefined> {
  const socket = connect({
    ...{ host, port, ca: trusted.map(String), timeout: 5_000 },
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  });
  return new Promise<string | undefined>((resolve) => {
    socket.once('secureConnect', () => resolve(undefined));
    socket.once('timeout', () => resolve('it did not answer in time'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(`${error.message} (${error.code ?? 'unknown'})`));
  }).finally(() => socket.destroy());
}

export function diagnosisText(server: string, found: readonly Diagnosis[]): string {
  if (found.length === 0) return `${server}: clients that trust this CA accept the certificate\n`;
  return found.map(({ level, message, remedy }) => `${level}: ${message}\n  -> ${remedy}\n`).join('');
}
