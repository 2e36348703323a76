import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createSecureContext } from 'node:tls';
import type { KeyFinding, KeyPath } from './key-path.ts';

const MAX_BYTES = 1_048_576;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const RELATIVE = 'put it there, or correct the name; relative names are relative to the configuration file';

/** A certificate chain and its key in PEM form. File names are absolute. */
export interface CertificatePair {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

/** Reads and checks the files that a configuration names, and collects errors. */
export class MaterialReader {
  readonly errors: KeyFinding[] = [];
  readonly warnings: KeyFinding[] = [];
  /** The SHA-256 of each file that was read, by absolute name. */
  readonly files = new Map<string, string>();
  readonly folder: string;

  /** @param folder base of relative names */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** Reads a password or token without its trailing line break. */
  async secret(name: string, path: KeyPath): Promise<string | undefined> {
    const text = (await this.secretBytes(name, path))?.toString('utf8').replace(/\r?\n$/, '');
    if (text === '') this.errors.push({ path, message: 'names a file that is empty; expected the secret in it' });
    return text;
  }

  /** Checks a token that is read again later, so that its file is not among `files`. */
  async token(name: string, path: KeyPath): Promise<void> {
    const known = this.files.has(resolve(this.folder, name));
    const text = await this.secret(name, path);
    if (!known) this.files.delete(resolve(this.folder, name));
    if (text !== undefined && text !== '' && !isToken(text)) this.errors.push({ path, message: NO_TOKEN });
  }

  /** Messages never contain this file name, because some users write the secret itself in its place. */
  async secretBytes(name: string, path: KeyPath): Promise<Buffer | undefined> {
    return await this.#bytes(name, path, 'names a file that', `${RELATIVE}, in ${this.folder}`);
  }

  /** Reads one or more certificates, and leaves out what else is in the file: `init` makes files of them that everybody may read. */
  async certificates(name: string, path: KeyPath): Promise<string | undefined> {
    const text = (await this.#bytes(name, path, `the file ${resolve(this.folder, name)}`, RELATIVE))?.toString('utf8');
    if (text === undefined) return undefined;
    const blocks = text.match(CERTIFICATE) ?? [];
    const bad = blocks.findIndex((block) => !succeeds(() => new X509Certificate(block)));
    if (blocks.length === 0) this.errors.push({ path, message: `${name} holds no certificate in PEM form` });
    else if (bad >= 0)
      this.errors.push({ path, message: `certificate ${bad + 1} of ${blocks.length} in ${name} cannot be read` });
    return blocks.length > 0 && bad < 0 ? blocks.map((block) => `${block}\n`).join('') : undefined;
  }

  async pair(names: { certFile: string; keyFile: string }, path: KeyPath): Promise<CertificatePair | undefined> {
    const cert = await this.certificates(names.certFile, [...path, 'certFile']);
    const key = (await this.secretBytes(names.keyFile, [...path, 'keyFile']))?.toString('utf8');
    const parsedKey = key === undefined ? undefined : succeeds(() => createPrivateKey(key));
    if (key !== undefined && !parsedKey)
      this.errors.push({
        path: [...path, 'keyFile'],
        message: 'names a file without a private key in PEM form that can be read without a passphrase',
      });
    if (cert === undefined || key === undefined || !parsedKey) return undefined;
    if (!new X509Certificate(cert).checkPrivateKey(parsedKey)) {
      this.errors.push({
        path: [...path, 'keyFile'],
        message: `the key does not belong to the first certificate in ${names.certFile}`,
      });
    } else if (!succeeds(() => createSecureContext({ cert, key }))) {
      this.errors.push({
        path: [...path, 'certFile'],
        message: `${names.certFile} and its key cannot be used for TLS`,
      });
    }
    const absolute = (name: string) => resolve(this.folder, name);
    return { certFile: absolute(names.certFile), keyFile: absolute(names.keyFile), cert, key };
  }

  async #bytes(name: string, path: KeyPath, subject: string, remedy: string): Promise<Buffer | undefined> {
    try {
      const file = resolve(this.folder, name);
      const content = await readBounded(file, MAX_BYTES);
      if (content !== undefined) this.files.set(file, createHash('sha256').update(content).digest('hex'));
      if (content === undefined) this.errors.push({ path, message: `${subject} is longer than ${MAX_BYTES} bytes` });
      return content;
    } catch (error) {
      this.errors.push({ path, message: `${subject} ${unreadable(error)}`, remedy });
      return undefined;
    }
  }
}

const NO_TOKEN = 'names a file that holds no token; expected one line of ASCII without spaces';

/** Whether a text can be a token in a header or a form. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]{1,65536}$/.test(text);
}

/** OpenSSL's reasons add nothing to "cannot be read". */
function succeeds<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

const MIN_BYTES = 32;

/**
 * The secrets of a key file, one a line: the first is used, all are accepted, so that a secret can be replaced. Binary content, and lines
 * too short for a secret (wrapped base64), count as one secret. Line breaks at the end do not count.
 */
export function parseSecrets(content: Buffer): Buffer[] {
  const text = content.toString('latin1').trim();
  if (/[^\x20-\x7e\r\n]/.test(text)) return [content];
  const lines = text.split(/\s*\n\s*/);
  const all = lines.every((line) => line.length >= MIN_BYTES) ? lines : [text];
  return all.map((one) => Buffer.from(one, 'latin1'));
}

/** Reads a file of at most `limit` bytes, also from a pipe or an endless device. Undefined: the file is longer. */
export async function readBounded(file: string, limit: number): Promise<Buffer | undefined> {
  // The byte at `end` is read too.
  const content = await buffer(createReadStream(file, { end: limit }));
  return content.length > limit ? undefined : content;
}

/** Why a file cannot be read. The text leaves out the name, which may be a secret. */
export function unreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const known: Record<string, string> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'does not exist',
    EACCES: 'may not be read',
    EPERM: 'may not be read',
    EISDIR: 'is a folder',
    ENAMETOOLONG: 'has a name that is too long',
  };
  return known[code] ?? `cannot be read (${code})`;
}
