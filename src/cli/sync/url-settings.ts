import type { Secrets } from '../../config/material.ts';
import { MaterialReader } from '../../config/material-reader.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { upstreamSchema } from '../../config/upstream-schema.ts';
import { UsageError } from '../config-path.ts';
import type { SyncCommandOptions } from './options.ts';

/** The options for a registry that is named by its URL, in the form of the configuration, with the contents of their files. @throws UsageError */
export async function urlSettings(
  which: 'from' | 'to',
  url: string,
  options: SyncCommandOptions,
): Promise<{ config: UpstreamConfig; secrets: Secrets }> {
  const user = options[`${which}User` as const];
  const passwordFile = options[`${which}PasswordFile` as const];
  const ca = options[`${which}Ca` as const];
  const realmHosts = options[`${which}RealmHost` as const];
  if ((user === undefined) !== (passwordFile === undefined))
    throw new UsageError(`--${which}-user and --${which}-password-file must be given together`);
  const reader = new MaterialReader(process.cwd());
  const password = passwordFile && (await reader.secret(passwordFile, [`--${which}-password-file`]));
  const authority = ca && (await reader.certificates(ca, [`--${which}-ca`]));
  const [unusable] = reader.errors;
  if (unusable) throw new UsageError(`${unusable.path.join('')} ${unusable.message}`);
  const credentials = user === undefined ? 'none' : { username: user, passwordFile };
  const hosts = which === 'from' ? options.fromRedirectHost : undefined;
  const parsed = upstreamSchema.safeParse({ urls: [url], credentials, realmHosts, redirects: { hosts } });
  const [wrong] = parsed.error?.issues ?? [];
  if (!parsed.success) throw new UsageError(`--${which}-${nameOf(wrong?.path)}: ${wrong?.message ?? 'cannot be used'}`);
  const secrets = { ...(authority ? { ca: authority } : {}), ...(password ? { password } : {}) };
  return { config: parsed.data, secrets };
}

/** The option for a key of the configuration. */
function nameOf(path: readonly PropertyKey[] = []): string {
  if (path.includes('hosts')) return 'redirect-host';
  return path.includes('realmHosts') ? 'realm-host' : 'user';
}
