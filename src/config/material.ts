import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { certificateFiles } from './acme-names.ts';
import { BREAK_GLASS, isBreakGlassName, type PasswordHashes, parseHtpasswd } from './htpasswd.ts';
import type { KeyFinding, KeyPath } from './key-path.ts';
import { type CertificatePair, MaterialReader, parseSecrets } from './material-reader.ts';
import type { Config, CredentialsConfig, UpstreamConfig } from './schema.ts';

/** The contents of all files that a configuration names. File names are absolute. */
export interface Material {
  /** Empty with `tls.acme`. */
  tls: CertificatePair[];
  /** Of `tls.acme.caFile`. */
  acmeCa?: string | undefined;
  /** Secrets of `keyFile`, the current one first; empty without it. */
  keys: readonly Buffer[];
  /** Of `adminTokenFile`. */
  adminToken: string | undefined;
  /** Of `metricsTokenFile`. */
  metricsToken: string | undefined;
  /** Users of `auth.htpasswdFile`, or of `auth.breakGlassFile` in `auth.mode: delegate`, with the file's absolute name. */
  passwords: { file: string; users: PasswordHashes } | undefined;
  /** Of `auth.canary`. */
  canaryPassword?: string | undefined;
  /** Of `caFile` of each of `auth.issuers`, in their order. */
  issuerCas?: readonly (string | undefined)[];
  /** Of `replication.hookSecretFile`. */
  hookSecret: string | undefined;
  upstreams: Record<string, Secrets>;
  /** The SHA-256 of each file, by absolute name. */
  files?: ReadonlyMap<string, string>;
}

/** Contents of the files that the configuration names for an upstream. */
export interface Secrets {
  ca?: string | undefined;
  password?: string | undefined;
  probePassword?: string | undefined;
  replicationPassword?: string | undefined;
  /** The folder of the configuration, to which the names of token files are relative. */
  folder?: string | undefined;
}

const MIN_KEY_BYTES = 32;
const MIN_HEADER_SECRET = 16;
const HEADER_SECRET = new RegExp(`^(?=.{${MIN_HEADER_SECRET}})[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$`);

/** Reads all files, with names relative to the configuration file. All errors are collected. */
export async function readMaterial(
  config: Config,
  configFile: string,
): Promise<{ material: Material; errors: KeyFinding[]; warnings: KeyFinding[] }> {
  const reader = new MaterialReader(dirname(configFile));
  const { tls, acmeCa } = await tlsMaterial(config, reader);
  const key = config.keyFile === undefined ? undefined : await reader.secretBytes(config.keyFile, ['keyFile']);
  if (key && key.length < MIN_KEY_BYTES) {
    reader.errors.push({
      path: ['keyFile'],
      message: `holds ${key.length} bytes; expected at least ${MIN_KEY_BYTES}`,
      remedy: `head -c 48 /dev/urandom | base64 > ${config.keyFile}`,
    });
  }
  const tokens = await adminTokens(config, reader);
  const passwords = await passwordsOf(config, configFile, reader);
  const { canary } = config.auth;
  const canaryPassword =
    typeof canary === 'object'
      ? await reader.secret(canary.passwordFile, ['auth', 'canary', 'passwordFile'])
      : undefined;
  const issuerCas = await Promise.all(
    config.auth.issuers.map(({ caFile }, index) =>
      caFile === undefined ? undefined : reader.certificates(caFile, ['auth', 'issuers', index, 'caFile']),
    ),
  );
  const hookSecret = await headerSecret(config.replication.hookSecretFile, ['replication', 'hookSecretFile'], reader);
  const upstreams: Material['upstreams'] = {};
  for (const [name, upstream] of Object.entries(config.upstreams))
    upstreams[name] = await upstreamMaterial(upstream, ['upstreams', name], reader);
  return {
    material: {
      tls,
      acmeCa,
      keys: key === undefined ? [] : parseSecrets(key),
      ...tokens,
      passwords,
      canaryPassword,
      issuerCas,
      hookSecret,
      upstreams,
      files: reader.files,
    },
    errors: reader.errors,
    warnings: reader.warnings,
  };
}

async function tlsMaterial({ tls }: Config, reader: MaterialReader): Promise<Pick<Material, 'tls' | 'acmeCa'>> {
  if (!Array.isArray(tls) && 'acme' in tls) {
    const { caFile } = tls.acme;
    const acmeCa = caFile === undefined ? undefined : await reader.certificates(caFile, ['tls', 'acme', 'caFile']);
    return { tls: [], acmeCa };
  }
  const listed = Array.isArray(tls);
  const pairs = certificateFiles({ tls }).map((pair, index) => reader.pair(pair, listed ? ['tls', index] : ['tls']));
  return { tls: (await Promise.all(pairs)).filter((pair) => pair !== undefined), acmeCa: undefined };
}

async function upstreamMaterial(
  { caFile, credentials, probe, replication }: UpstreamConfig,
  path: KeyPath,
  reader: MaterialReader,
): Promise<Secrets> {
  const ca = caFile === undefined ? undefined : await reader.certificates(caFile, [...path, 'caFile']);
  const secret = async (given: CredentialsConfig | undefined, ...at: KeyPath) => {
    if (typeof given !== 'object') return undefined;
    const key = (name: string) => [...path, ...at, 'credentials', name];
    // The upstream reads it by itself, again and again.
    if ('tokenFile' in given) await reader.token(given.tokenFile, key('tokenFile'));
    return 'passwordFile' in given ? await reader.secret(given.passwordFile, key('passwordFile')) : undefined;
  };
  const password = await secret(credentials);
  const probePassword = await secret(probe.credentials, 'probe');
  const replicationPassword = await secret(replication.credentials, 'replication');
  return { ca, password, probePassword, replicationPassword, folder: reader.folder };
}

async function adminTokens(
  { adminTokenFile, metricsTokenFile }: Config,
  reader: MaterialReader,
): Promise<Pick<Material, 'adminToken' | 'metricsToken'>> {
  const adminToken = await adminSecret(adminTokenFile, reader);
  const metricsToken = await headerSecret(metricsTokenFile, ['metricsTokenFile'], reader);
  if (metricsToken !== undefined && metricsToken === adminToken)
    reader.errors.push({
      path: ['metricsTokenFile'],
      message: 'holds the same token as adminTokenFile, so that it would open everything',
      remedy: 'head -c 24 /dev/urandom | base64 > metrics.token',
    });
  return { adminToken, metricsToken };
}

/** An edge whose token cannot be used starts, as it did in 0.1, with one that nobody knows. */
async function adminSecret(name: string | undefined, reader: MaterialReader): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const path = ['adminTokenFile'];
  const secret = await reader.secret(name, path);
  if (secret === undefined || secret === '' || HEADER_SECRET.test(secret)) return secret;
  reader.warnings.push({
    path,
    message: `names a file whose secret cannot be used, so nothing opens this listener but /healthz, /readyz and /vipz; expected one line of at least ${MIN_HEADER_SECRET} characters of ASCII`,
    remedy: 'head -c 24 /dev/urandom | base64 > admin.token',
  });
  return randomBytes(24).toString('base64');
}

/** A secret that has to fit into a header, and is all that keeps strangers out. @param name of its file */
async function headerSecret(
  name: string | undefined,
  path: KeyPath,
  reader: MaterialReader,
): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const secret = await reader.secret(name, path);
  if (secret !== undefined && secret !== '' && !HEADER_SECRET.test(secret))
    reader.errors.push({
      path,
      message: `names a file whose secret cannot be used; expected one line of at least ${MIN_HEADER_SECRET} characters of ASCII`,
      remedy: `head -c 24 /dev/urandom | base64 > ${path.at(-1) === 'hookSecretFile' ? 'hook.secret' : 'metrics.token'}`,
    });
  return secret;
}

async function passwordsOf(config: Config, configFile: string, reader: MaterialReader): Promise<Material['passwords']> {
  const key = usersFileKey(config);
  const name = key && config.auth[key];
  if (key === undefined || name === undefined) return undefined;
  const path = ['auth', key];
  const content = await reader.secretBytes(name, path);
  if (content === undefined) return undefined;
  const { users, errors } = parseHtpasswd(content.toString('utf8'));
  for (const message of errors)
    reader.errors.push({ path, message, remedy: 'write the file with breakwater user add' });
  const foreign = key === 'breakGlassFile' ? [...users.keys()].filter((user) => !isBreakGlassName(user)) : [];
  for (const user of foreign)
    reader.errors.push({
      path,
      message: `${user} may be a user of the authority; names of break-glass users end in ${BREAK_GLASS}`,
      remedy: `breakwater user add ${user}${BREAK_GLASS}, and remove ${user}`,
    });
  return { file: resolve(dirname(configFile), name), users };
}

/** The key under `auth` that names the password file; undefined: this mode has none. */
export function usersFileKey({ auth: { mode } }: Config): 'htpasswdFile' | 'breakGlassFile' | undefined {
  if (mode === 'htpasswd') return 'htpasswdFile';
  return mode === 'delegate' ? 'breakGlassFile' : undefined;
}
