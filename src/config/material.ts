import { dirname, resolve } from 'node:path';
import { BREAK_GLASS, isBreakGlassName } from './break-glass.ts';
import { type PasswordHashes, parseHtpasswd } from './htpasswd.ts';
import type { KeyFinding } from './key-path.ts';
import { type CertificatePair, MaterialReader } from './material-reader.ts';
import type { Config } from './schema.ts';
import { secretsIn } from './secrets.ts';
import { usersKey } from './users-key.ts';

/** Contents of all files that a configuration names. File names are absolute. */
export interface Material {
  tls: CertificatePair[];
  /** Secrets of `keyFile`, the one in use first; none without it. */
  keys: readonly Buffer[];
  adminToken: string | undefined;
  /** `auth.htpasswdFile`, in `auth.mode: delegate` `auth.breakGlassFile`: its absolute name, and who stands in it. */
  passwords: { file: string; users: PasswordHashes } | undefined;
  upstreams: Record<string, { ca?: string; password?: string; probePassword?: string }>;
}

const MIN_KEY_BYTES = 32;

/** Reads them, relative to the configuration file. What is missing or unusable is told all at once. */
export async function readMaterial(
  config: Config,
  configFile: string,
): Promise<{ material: Material; errors: KeyFinding[] }> {
  const reader = new MaterialReader(dirname(configFile));
  const listed = Array.isArray(config.tls);
  const tls = await Promise.all(
    [config.tls].flat().map((pair, index) => reader.pair(pair, listed ? ['tls', index] : ['tls'])),
  );
  const key = config.keyFile === undefined ? undefined : await reader.secretBytes(config.keyFile, ['keyFile']);
  if (key && key.length < MIN_KEY_BYTES) {
    reader.errors.push({
      path: ['keyFile'],
      message: `holds ${key.length} bytes; expected at least ${MIN_KEY_BYTES}`,
      remedy: `head -c 48 /dev/urandom | base64 > ${config.keyFile}`,
    });
  }
  const adminToken =
    config.adminTokenFile === undefined ? undefined : await reader.secret(config.adminTokenFile, ['adminTokenFile']);
  const passwords = await passwordsOf(config, configFile, reader);
  const upstreams: Material['upstreams'] = {};
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    const path = ['upstreams', name];
    const { caFile, credentials, probe } = upstream;
    const ca = caFile === undefined ? undefined : await reader.certificates(caFile, [...path, 'caFile']);
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
    material: {
      tls: tls.filter((pair) => pair !== undefined),
      keys: key === undefined ? [] : secretsIn(key),
      adminToken,
      passwords,
      upstreams,
    },
    errors: reader.errors,
  };
}

async function passwordsOf(config: Config, configFile: string, reader: MaterialReader): Promise<Material['passwords']> {
  const key = usersKey(config);
  const name = key && config.auth[key];
  if (key === undefined || name === undefined) return undefined;
  const path = ['auth', key];
  const content = await reader.secretBytes(name, path);
  if (content === undefined) return undefined;
  const { users, errors } = parseHtpasswd(content.toString('utf8'));
  for (const message of errors)
    reader.errors.push({ path, message, remedy: 'breakwater user add writes lines that can be used' });
  const foreign = key === 'breakGlassFile' ? [...users.keys()].filter((user) => !isBreakGlassName(user)) : [];
  for (const user of foreign)
    reader.errors.push({
      path,
      message: `${user} could be a user of the authority's; names of break-glass users end in ${BREAK_GLASS}`,
      remedy: `breakwater user add ${user}${BREAK_GLASS}, and remove ${user}`,
    });
  return { file: resolve(dirname(configFile), name), users };
}
