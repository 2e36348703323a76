import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { configPath, hasConfig, UsageError } from '../config-path.ts';
import { findRunningLab } from '../running-lab.ts';
import { withoutUser } from '../without-user.ts';

/** What a command was told of the edge that it is to ask. */
export interface AdminOptions {
  config?: string;
  admin?: string;
}

export const CONFIG_OPTION =
  'configuration that names the admin listener; without any, the lab that runs here is asked';

/** Base URL of the admin listener to ask: the one given, else that of the configuration, else that of the lab that runs here. */
export async function findAdmin({ config, admin }: AdminOptions): Promise<string> {
  if (admin !== undefined) return givenAdminUrl(admin);
  const lab = hasConfig(config) ? undefined : findRunningLab();
  return lab?.admin ?? adminUrl((await loadConfig(configPath(config))).config);
}

/** Base URL of the running edge's admin listener. A wildcard address is reached on loopback. */
export function adminUrl({ listen }: Config): string {
  const [, host = '127.0.0.1', port = '9443'] = /^(.*):(\d+)$/.exec(listen.admin) ?? [];
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '[::]' ? '[::1]' : host;
  return `http://${reachable}:${port}`;
}

/** Checks a URL given by hand. */
export function givenAdminUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:/.test(text))
    throw new UsageError(`${withoutUser(text)} is no URL such as http://127.0.0.1:9443`);
  // It is asked without any, and takes none.
  if (url.username + url.password !== '')
    throw new UsageError(`credentials do not belong into the URL of ${url.host}; --admin takes none`);
  return text.replace(/\/+$/, '');
}

/** GET a JSON document. @throws NoEdge when nothing answers there */
export async function getAdmin(base: string, path: string): Promise<{ status: number; content: unknown }> {
  try {
    const response = await fetch(base + path, { signal: AbortSignal.timeout(5000) });
    return { status: response.status, content: await response.json() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new NoEdge(`no edge answers at ${base} (${cause}). Is it running? Name its admin listener with --admin.`);
  }
}

export class NoEdge extends Error {
  override readonly name = 'NoEdge';
}
