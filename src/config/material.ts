import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { KeyFinding, KeyPath } from './key-path.ts';
import type { Config } from './schema.ts';

/** Contents of all files that a configuration names. File names are absolute. */
export interface Material {
  tls: { certFile: string; keyFile: string; cert: string; key: string }[];
  /** `keyFile`, at least 32 bytes. */
  key: Buffer | undefined;
  adminToken: string | undefined;
  upstreams: Record<string, { ca?: string; password?: string; probePassword?: string }>;
}

const MIN_KEY_BYTES = 32;
const MAX_FILE_BYTES = 1_048_576;

/** Reads them, relative to the configuration file. What is missing or unusable is told all at once. */
export async function readMaterial(
  config: Config,
  configFile: string,
): Promise<{ material: Material; errors: KeyFinding[] }> {
  const reader = new Reader(dirname(configFile));
  const listed = Array.isArray(config.tls);
  const tls = await Promise.all(
    [config.tls].flat().map((pair, index) => reader.pair(pair, listed ? ['tls', index] : ['tls'])),
  );
  const key = config.keyFile === undefined ? undefined : await reader.bytes(config.keyFile, ['keyFile']);
  if (key && key.length < MIN_KEY_BYTES) {
    reader.errors.push({
      path: ['keyFile'],
      message: `holds ${key.length} bytes; expected at least ${MIN_KEY_BYTES}`,
      remedy: `head -c 48 /dev/urandom | base64 > ${config.keyFile}`,
    });
  }
  const adminToken =
    config.adminTokenFile === undefined ? undefined : await reader.secret(config.adminTokenFile, ['adminTokenFile']);
  const upstreams: Material['upstreams'] = {};
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    const path = ['upstreams', name];
    const { caFile, credentials, probe } = upstream;
    const ca = caFile === undefined ? undefined : await reader.certificate(caFile, [...path, 'caFile']);
    const password =
      typeof credentials === 'object'
        ? await reader.secret(credentials.passwordFile, [...path, 'credentials', 'passwordFile'])
        : undefined;
    const probePassword =
      typeof probe.credentials === 'object'
        ? await reader.secret(probe.credentials.passwordFile, [...path, 'probe', 'credentials', 'passwordFile'])
        : undefined;
    upstreams[name] = {
      ...(ca === undefined ? {} : { ca }),
      ...(password === undefined ? {} : { password }),
      ...(probePassword === undefined ? {} : { probePassword }),
    };
  }
  return {
    material: { tls: tls.filter((pair) => pair !== undefined), key, adminToken, upstreams },
    errors: reader.errors,
  };
}

class Reader {
  readonly errors: KeyFinding[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async bytes(name: string, path: KeyPath): Promise<Buffer | undefined> {
    try {
      const content = await readFile(resolve(this.#folder, name));
      if (content.length <= MAX_FILE_BYTES) return content;
      this.errors.push({ path, message: `${name} is longer than ${MAX_FILE_BYTES} bytes` });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      const why =
        { ENOENT: 'does not exist', EACCES: 'may not be read', EISDIR: 'is a folder' }[code] ??
        `cannot be read (${code})`;
      this.errors.push({
        path,
        message: `the file ${resolve(this.#folder, name)} ${why}`,
        remedy: 'relative names are relative to the configuration file',
      });
    }
    return undefined;
  }

  /** A password or token: the line end that editors add is not part of it. */
  async secret(name: string, path: KeyPath): Promise<string | undefined> {
    const text = (await this.bytes(name, path))?.toString('utf8').replace(/\r?\n$/, '');
    if (text === '') this.errors.push({ path, message: `the file ${name} is empty` });
    return text;
  }

  async certificate(name: string, path: KeyPath): Promise<string | undefined> {
    const text = (await this.bytes(name, path))?.toString('utf8');
    if (text !== undefined && !parses(() => new X509Certificate(text)))
      this.errors.push({ path, message: `${name} holds no certificate in PEM form` });
    return text;
  }

  async pair(
    { certFile, keyFile }: { certFile: string; keyFile: string },
    path: KeyPath,
  ): Promise<Material['tls'][number] | undefined> {
    const cert = await this.certificate(certFile, [...path, 'certFile']);
    const key = (await this.bytes(keyFile, [...path, 'keyFile']))?.toString('utf8');
    if (cert === undefined || key === undefined) return undefined;
    const parsedKey = parses(() => createPrivateKey(key));
    const parsedCert = parses(() => new X509Certificate(cert));
    if (!parsedKey)
      this.errors.push({
        path: [...path, 'keyFile'],
        message: `${keyFile} holds no private key in PEM form that can be read without a passphrase`,
      });
    else if (parsedCert && !parsedCert.checkPrivateKey(parsedKey)) {
      this.errors.push({
        path: [...path, 'keyFile'],
        message: `the key in ${keyFile} does not belong to the certificate in ${certFile}`,
      });
    }
    return { certFile: resolve(this.#folder, certFile), keyFile: resolve(this.#folder, keyFile), cert, key };
  }
}

function parses<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // OpenSSL's reason says nothing that "no certificate" does not.
    return undefined;
  }
}
