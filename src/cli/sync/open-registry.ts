import type { Loaded } from '../../config/load.ts';
import { configuredRegistry } from '../../replication/registry/configured-registry.ts';
import { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { Connection } from '../../upstream/connection.ts';
import type { Network } from '../../upstream/streams.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { UsageError } from '../config-path.ts';
import { firstContact } from './first-contact.ts';
import { isHarbor } from './is-harbor.ts';
import { type Side, sideName } from './side.ts';
import { type UrlOptions, type UrlSettings, urlSettings } from './url-settings.ts';

export interface OpenOptions {
  which: 'from' | 'to';
  side: Side;
  /** What the command line says of it beside what it is; for URLs only. */
  options: UrlOptions;
  loaded: Loaded | undefined;
  network: Network;
  /** Given every connection that is to be closed at the end. */
  opened: Connection[];
}

/**
 * Looks at all that is said of a side before anybody is asked. @throws UsageError
 * @returns what makes it one that answers; it throws UpstreamError if nobody does, or the credentials are refused
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

/** Several URLs share one storage: any that is well will do. */
async function firstOf(registries: readonly RemoteRegistry[], signal: AbortSignal): Promise<RemoteRegistry> {
  const failures: unknown[] = [];
  for (const registry of registries)
    try {
      await firstContact(registry.name, registry.connection, signal);
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
      `--${which}-${dashed(given[0])} is for a URL; upstreams.${name} of the configuration has its own`,
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
  await firstContact(sideName(side), connection, signal).catch((error: unknown) => {
    // There is no configuration whose key it could be.
    if (!(error instanceof UpstreamError) || !error.message.includes('realmHosts')) throw error;
    throw new UpstreamError(error.reason, error.message.replace('realmHosts', `--${which}-realm-host`));
  });
  // To nobody in particular Harbor lists what is public, as if it were all.
  const more = options.user !== undefined && (await isHarbor(connection, signal));
  const probe = { ...config.probe, kind: 'harbor' as const };
  return new RemoteRegistry(sideName(side), more ? connect({ ...config, probe }) : connection);
}

function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
