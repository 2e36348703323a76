import type { Config } from '../config/schema.ts';
import { ownNames } from '../proxy/request/parse.ts';

/**
 * Whether clients would be refused at a token service that an upstream names. Their requests for one under the edge's own name go to the
 * upstream.
 * @param host of the token service, which no list names
 */
export function isRealmElsewhere(config: Config, upstream: string, host: string): boolean {
  const asksAsClients = config.auth.mode === 'open' && config.upstreams[upstream]?.credentials === 'forward';
  return !(asksAsClients && ownNames(config).has(URL.parse(`https://${host}`)?.hostname ?? ''));
}

/** What happens at such a token service, and the line to add. */
export function refusedRealmText(upstream: string, host: string): string {
  return `${upstream} names a token service at ${host}, which gets no request and no credentials; if it is the one of ${upstream}, add the line: ${refusedRealmLine(upstream, host)}`;
}

export function refusedRealmLine(upstream: string, host: string): string {
  return `upstreams.${upstream}.realmHosts: [${JSON.stringify(host)}]`;
}
