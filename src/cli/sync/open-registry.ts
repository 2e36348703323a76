import type { Loaded } from '../../config/load.ts';
import { MaterialReader } from '../../config/material-reader.ts';
import { replicationCredentials, replicationUser } from '../../config/replication-user.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { upstreamSchema } from '../../config/upstream-schema.ts';
import { RemoteRegistry } from '../../replication/remote-registry.ts';
import { Connection, type Secrets } from '../../upstream/connection.ts';
import type { Network } from '../../upstream/network.ts';
import { UsageError } from '../config-path.ts';
import { firstContact } from './first-contact.ts';
import { type Side, sideName } from './side.ts';

/** What the command line says of one side, beside what it is; for URLs only. */
export interface SideOptions {
  user?: string | undefined;
  passwordFile?: string | undefined;
  ca?: string | undefined;
  realmHost?: string[] | undefined;
  redirectHost?: string[] | undefined;
}

/** A side that answers. */
export interface OpenRegistry {
  registry: RemoteRegistry;
  close: () => Promise<void>;
}

/** @param which `from` or `to`. @throws UsageError; UpstreamError if nobody answers there, or the credentials are refused */
export async function openRegistry(
  which: 'from' | 'to',
  side: Side,
  options: SideOptions,
  loaded: Loaded | undefined,
  network: Network,
  signal: AbortSignal,
): Promise<OpenRegistry> {
  const { config, secrets } =
    side.kind === 'upstream' ? ofUpstream(which, side.name, options, loaded) : await ofUrl(which, side.url, options);
  const connections: Connection[] = [];
  const failures: unknown[] = [];
  // Several URLs share one storage: any that is well will do.
  for (const url of config.urls) {
    const connection = new Connection(url, config, secrets, network);
    connections.push(connection);
    const close = async () => void (await Promise.all(connections.map((one) => one.close())));
    try {
      await firstContact(sideName(side), connection, signal);
      return { registry: new RemoteRegistry(sideName(side), connection), close };
    } catch (error) {
      failures.push(error);
      if (signal.aborted) break;
    }
  }
  await Promise.all(connections.map((one) => one.close()));
  throw failures[0];
}

type Known = { config: UpstreamConfig; secrets: Secrets };

function ofUpstream(which: string, name: string, options: SideOptions, loaded: Loaded | undefined): Known {
  const given = Object.entries(options).find(([, value]) => value !== undefined);
  if (given)
    throw new UsageError(
      `--${which}-${dashed(given[0])} is for a URL; upstreams.${name} of the configuration has its own`,
    );
  const upstream = loaded?.config.upstreams[name];
  if (!loaded || !upstream) throw new Error(`no upstream ${name}`);
  const { ca, ...material } = loaded.material.upstreams[name] ?? {};
  const password = replicationUser(upstream, material)?.password;
  return {
    config: { ...upstream, credentials: replicationCredentials(upstream) },
    secrets: { ...(ca === undefined ? {} : { ca }), ...(password === undefined ? {} : { password }) },
  };
}

async function ofUrl(which: string, url: string, options: SideOptions): Promise<Known> {
  const { user, passwordFile, ca, realmHost = [], redirectHost = [] } = options;
  if ((user === undefined) !== (passwordFile === undefined))
    throw new UsageError(`--${which}-user and --${which}-password-file go together`);
  const reader = new MaterialReader(process.cwd());
  const password = passwordFile && (await reader.secret(passwordFile, [`--${which}-password-file`]));
  const authority = ca && (await reader.certificates(ca, [`--${which}-ca`]));
  const [unusable] = reader.errors;
  if (unusable) throw new UsageError(`${unusable.path.join('')} ${unusable.message}`);
  const credentials = user === undefined ? 'none' : { username: user, passwordFile, realmHosts: realmHost };
  const parsed = upstreamSchema.safeParse({ urls: [url], credentials, redirects: { hosts: redirectHost } });
  if (!parsed.success) {
    const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
    throw new UsageError(`--${which}-… ${path.join('.')}: ${message}`);
  }
  const secrets = { ...(authority ? { ca: authority } : {}), ...(password ? { password } : {}) };
  return { config: parsed.data, secrets };
}

function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
