import type { Loaded } from '../../config/load.ts';
import { configuredRegistry } from '../../replication/registry/configured-registry.ts';
import { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { Connection } from '../../upstream/connection.ts';
import type { Network } from '../../upstream/streams.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { UsageError } from '../config-path.ts';
import { checkAccess, isHarbor } from './registry-access.ts';
import { type Side, sideName } from './side.ts';
import { type UrlOptions, type UrlSettings, urlSettings } from './url-settings.ts';

export interface OpenOptions {
  which: 'from' | 'to';
  side: Side;
  /** Options of the command line for a side that is a URL. */
  options: UrlOptions;
  loaded: Loaded | undefined;
  network: Network;
  /** Collects the connections, which the caller closes. */
  opened: Connection[];
}

/**
 * Checks the options of a side without any request. @throws UsageError
 * @returns a function that opens a registry that answers, or throws UpstreamError if none does or the credentials are refused
 */
export async function openRegistry(open: OpenOptions): Promise<(signal: AbortSignal) => Promise<RemoteRegistry>> {
  const { side, which, options } = open;
  if (side.kind === 'upstream') {
    const registries = ofUpstream(open, side.name);
    return (signal) => firstOf(registries, signal);
  }
  const settings = await urlSettings(which, side.url, options);
  return (signal) => openUrl(open, settings, side.url, signal);
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
  const given = Object.entries(options).find(([, value]) => value !== undefined);
  if (given)
    throw new UsageError(
      `--${which}-${dashed(given[0])} is only for a URL; for ${name}, set it in upstreams.${name} of the configuration`,
    );
  const upstream = loaded?.config.upstreams[name];
  if (!loaded || !upstream) throw new Error(`no upstream ${name}`);
  const material = loaded.material.upstreams[name] ?? {};
  const registries = upstream.urls.map((url) => configuredRegistry(name, url, upstream, material, network));
  opened.push(...registries.map(({ connection }) => connection));
  return registries;
}

async function openUrl(
  { which, side, options, network, opened }: OpenOptions,
  { config, secrets }: UrlSettings,
  url: string,
  signal: AbortSignal,
): Promise<RemoteRegistry> {
  const connect = (settings: typeof config) => {
    const connection = new Connection(url, settings, secrets, network);
    opened.push(connection);
    return connection;
  };
  const connection = connect(config);
  await checkAccess(sideName(side), connection, signal).catch((error: unknown) => {
    // The message names a key of the configuration; here an option takes its place.
    if (!(error instanceof UpstreamError) || !error.message.includes('realmHosts')) throw error;
    throw new UpstreamError(error.reason, error.message.replace('realmHosts', `--${which}-realm-host`));
  });
  // Without a user, Harbor's API lists only public repositories, and does not say so.
  const useHarborApi = options.user !== undefined && (await isHarbor(connection, signal));
  const probe = { ...config.probe, kind: 'harbor' as const };
  return new RemoteRegistry(sideName(side), useHarborApi ? connect({ ...config, probe }) : connection);
}

function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
