import type { Config } from '../../config/schema.ts';
import { UsageError } from '../config-path.ts';
import { withoutUser } from '../without-user.ts';

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
