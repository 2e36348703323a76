import type { Loaded } from '../../config/load.ts';
import { configuredRegistry } from '../../replication/registry/configured-registry.ts';
import { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { Connection } from '../../upstream/connection.ts';
import type { Network } from '../../upstream/streams.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { UsageError } from '../config-path.ts';
import type { SyncCommandOptions } from './options.ts';
import { checkAccess, isHarbor } from './registry-access.ts';
import type { Side } from './side.ts';
import { urlSettings } from './url-settings.ts';

export interface OpenOptions {
  which: 'from' | 'to';
  side: Side;
  options: SyncCommandOptions;
  loaded: Loaded | undefined;
  network: Network;
  /** Collects the connections, which the caller closes. */
  opened: Connection[];
}

/** Opens a registry that answers. @throws UpstreamError if none does, or if the credentials are refused */
export type OpenRegistry = (signal: AbortSignal) => Promise<RemoteRegistry>;

/** Checks the options of a side without any request. @throws UsageError */
export async function openRegistry(open: OpenOptions): Promise<OpenRegistry> {
  const { which, options } = open;
  const { name, url } = open.side;
  if (url === undefined) {
    const registries = ofUpstream(open, name);
    return (signal) => firstOf(registries, signal);
  }
  const settings = await urlSettings(which, url, options);
  return (signal) => openUrl(open, settings, url, signal);
}

/** The first registry that answers. All URLs of an upstream share one storage. */
async function firstOf(registries: readonly RemoteRegistry[], signal: AbortSignal): Promise<RemoteRegistry> {
  const failures: unknown[] = [];
  for (const registry of registries)
    try {
      await checkAccess(registry.name, registry.connection, signal);
      return registry;
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  throw failures[0];
}

function ofUpstream({ which, options, loaded, network, opened }: OpenOptions, name: string): RemoteRegistry[] {
  const given = Object.keys(options).find((option) => option.startsWith(which) && option !== `${which}Prefix`);
  if (given)
    throw new UsageError(
      `--${dashed(given)} is only for a URL; for ${name}, set it in upstreams.${name} of the configuration`,
    );
  const upstream = loaded?.config.upstreams[name];
  if (!loaded || !upstream) throw new Error(`no upstream ${name}`);
  const material = loaded.material.upstreams[name] ?? {};
  const registries = upstream.urls.map((url) => configuredRegistry(name, url, upstream, material, network));
  opened.push(...registries.map(({ connection }) => connection));
  return registries;
}

async function openUrl(
  { which, side: { name }, network, opened }: OpenOptions,
  { config, secrets }: Awaited<ReturnType<typeof urlSettings>>,
  url: string,
  signal: AbortSignal,
): Promise<RemoteRegistry> {
  const refused: string[] = [];
  const connect = (settings: typeof config) => {
    const connection = new Connection(url, settings, secrets, network, (host) => refused.push(host));
    opened.push(connection);
    return connection;
  };
  const connection = connect(config);
  await checkAccess(name, connection, signal).catch((error: unknown) => {
    // The message names a key of the configuration; here an option takes its place.
    if (!(error instanceof UpstreamError) || !error.message.includes('realmHosts')) throw error;
    throw new UpstreamError(error.reason, error.message.replace('realmHosts', `--${which}-realm-host`));
  });
  // Without a user, the token service is asked only when content is read.
  if (refused[0] !== undefined)
    throw new UpstreamError(
      'credentials',
      `the token service is on ${refused[0]}, which --${which}-realm-host does not name`,
    );
  // Without a user, Harbor's API lists only public repositories, and does not say so.
  const useHarborApi = secrets.password !== undefined && (await isHarbor(connection, signal));
  const probe = { ...config.probe, kind: 'harbor' as const };
  return new RemoteRegistry(name, useHarborApi ? connect({ ...config, probe }) : connection);
}

function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
