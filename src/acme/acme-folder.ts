import { createHash, createPrivateKey, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MAX_ORDERS } from './schedule.ts';

/** A certificate with its chain, and its key; PEM. */
export interface AcmePair {
  cert: string;
  key: string;
}

/** The same, and where it comes from. */
export interface KnownPair extends AcmePair {
  /** Directory of the ACME server that issued it; undefined: not known. */
  directory: string | undefined;
}

/** One order. Edges know it by its id, so that none counts it twice. */
export interface KnownOrder {
  id: string;
  /** Its start, epoch milliseconds. */
  at: number;
}

const order = z.object({ id: z.string().regex(/^[0-9a-f]{16}$/), at: z.number() });
const ordersFile = z.object({ orders: z.array(order).max(1000) });

/**
 * The folder in which account and certificate last over restarts. A certificate and its key are one file, `certificate.pem`: a rename
 * replaces both, so that a crash never leaves two that do not fit. Its first line says from which ACME server they are.
 */
export class AcmeFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get certificateFile(): string {
    return join(this.#folder, 'certificate.pem');
  }

  /** Makes the folder, and checks that it can be written. @throws Error */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#write('.writable', '');
    await rm(join(this.#folder, '.writable'), { force: true });
  }

  /** Undefined: there is none, or it cannot be used. */
  async certificate(): Promise<KnownPair | undefined> {
    const text = await this.#read('certificate.pem');
    return text === undefined ? undefined : splitPair(text);
  }

  /** @throws Error */
  async saveCertificate({ cert, key, directory }: KnownPair): Promise<void> {
    const from = directory === undefined ? '' : `directory: ${directory}\n`;
    await this.#write('certificate.pem', `${from}${cert.trimEnd()}\n${key.trimEnd()}\n`);
  }

  /** The key of the account at an ACME server, PEM. @param make called once, for the first order there @throws Error */
  async accountKey(directory: string, make: () => Promise<string>): Promise<string> {
    const name = accountFile(directory);
    const known = await this.#read(name);
    if (known !== undefined) return known;
    const made = await make();
    await this.#write(name, made);
    return made;
  }

  /**
   * The orders of the last week. A file that cannot be understood counts as the most that there may have been, at the time of its
   * last change.
   */
  async orders(): Promise<KnownOrder[]> {
    const text = await this.#read('orders.json');
    if (text === undefined) return [];
    try {
      return ordersFile.parse(JSON.parse(text)).orders;
    } catch {
      const { mtimeMs } = await stat(join(this.#folder, 'orders.json'));
      return Array.from({ length: MAX_ORDERS }, () => ({ id: randomId(), at: mtimeMs }));
    }
  }

  /** @throws Error: then nothing may be ordered */
  async saveOrders(orders: readonly KnownOrder[]): Promise<void> {
    await this.#write('orders.json', `${JSON.stringify({ orders })}\n`);
  }

  /** Undefined: there is no such file. @throws Error for one that cannot be read */
  async #read(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#folder, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Writes beside, on the disk, and renames. */
  async #write(name: string, content: string): Promise<void> {
    const path = join(this.#folder, name);
    const beside = `${path}.${randomUUID()}`;
    try {
      const file = await open(beside, 'wx', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await chmod(beside, 0o600);
      await rename(beside, path);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
  }
}

/** An account belongs to one server, and servers are not shown each other's. */
function accountFile(directory: string): string {
  const mark = createHash('sha256').update(directory).digest('hex').slice(0, 8);
  return `account.${new URL(directory).hostname}.${mark}.key`;
}

/** For an order, or an edge. */
export function randomId(): string {
  return randomBytes(8).toString('hex');
}

/** Undefined: they are broken, or do not fit. */
function splitPair(text: string): KnownPair | undefined {
  const [, directory, pem = ''] = /^(?:directory: (https:\/\/[\x21-\x7e]+)\n)?(.*)$/s.exec(text) ?? [];
  const [cert = '', key = ''] = pem.split(/(?=-----BEGIN [A-Z ]*PRIVATE KEY-----)/);
  const pair = { cert, key, directory };
  return isPair(pair) ? pair : undefined;
}

/** Whether the key is that of the first certificate. */
export function isPair({ cert, key }: AcmePair): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
