import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyedCertificate } from '../../certificates/certificate-maker.ts';
import { CertificateError } from '../../certificates/certificate-text.ts';
import { readBounded, unreadable } from '../../config/material-reader.ts';
import { UsageError } from '../config-path.ts';
import { type NewFile, writeNewFiles } from '../new-file.ts';

const MAX_BYTES = 1_048_576;
const SECRET = 0o600;
const PUBLIC = 0o644;

/** Names of the files of a certificate in its folder: `ca` or `tls`. */
export type PairName = 'ca' | 'tls';

/** Writes NAME.crt and NAME.key, the key first and with mode 0600. @returns their paths */
export async function writePair(
  folder: string,
  name: PairName,
  { cert, key }: KeyedCertificate,
  { force = false, more = [] }: { force?: boolean; more?: readonly NewFile[] } = {},
): Promise<{ certFile: string; keyFile: string }> {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const files = [
    { path: keyFile, content: key, mode: SECRET },
    { path: certFile, content: cert, mode: PUBLIC },
    ...more,
  ];
  await writeNewFiles(files, { force });
  return { certFile, keyFile };
}

/** Replaces a certificate and keeps its key, in one step. */
export async function replaceCertificate(certFile: string, cert: string): Promise<void> {
  await writeNewFiles([{ path: certFile, content: cert, mode: PUBLIC }], { force: true });
}

/** Reads a CA: from its folder with ca.crt and ca.key, or from the file of its certificate. @param keyFile default: beside it, .key */
export async function readAuthority(place: string, keyFile?: string): Promise<KeyedCertificate> {
  const certFile = await authorityFile(place);
  return { cert: await readText(certFile), key: await readText(keyFile ?? keyBeside(certFile)) };
}

/** The file of a CA's certificate: the place itself, or `ca.crt` if it is a folder. */
export async function authorityFile(place: string): Promise<string> {
  const facts = await stat(place).catch(() => undefined);
  return facts?.isDirectory() ? join(place, 'ca.crt') : place;
}

export function keyBeside(certFile: string): string {
  return certFile.replace(/\.(crt|pem|cer)$/, '').concat('.key');
}

/** @throws UsageError that names the file */
export async function readText(file: string): Promise<string> {
  let content: Buffer | undefined;
  try {
    content = await readBounded(file, MAX_BYTES);
  } catch (error) {
    throw new UsageError(`${file} ${unreadable(error)}`);
  }
  if (content === undefined) throw new UsageError(`${file} is longer than ${MAX_BYTES} bytes; expected PEM text`);
  return content.toString('utf8');
}

/** Turns what a maker refuses into words of a command, with the place that they are about. */
export async function explained<T>(place: string, made: () => Promise<T> | T): Promise<T> {
  try {
    return await made();
  } catch (error) {
    if (error instanceof CertificateError) throw new UsageError(`${place}: ${error.message}`);
    throw error;
  }
}
