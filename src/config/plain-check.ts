import type { KeyFinding } from './key-path.ts';
import { isLocalListener } from './network.ts';
import type { Config } from './schema.ts';

/** Without TLS, everybody on the way reads passwords and tokens, so the operator has to say who vouches for the network. */
export function plainErrors({ listen, trustedProxies }: Config): KeyFinding | [] {
  if (listen.plain === undefined || isLocalListener(listen.plain)) return [];
  if (listen.plainClients === 'all' || trustedProxies.length > 0) return [];
  return {
    path: ['listen', 'plain'],
    message: `other machines can reach ${listen.plain}, where nothing is encrypted, and trustedProxies is empty`,
    remedy:
      'listen on 127.0.0.1 for programs of this machine; or list the load balancers that end TLS in trustedProxies; or set listen.plainClients: all if the network may read passwords',
  };
}

export function plainWarnings({ listen }: Config): KeyFinding | [] {
  if (listen.plainClients === 'trusted') return [];
  const path = ['listen', 'plainClients'];
  if (listen.plain === undefined)
    return { path, message: 'has no effect without listen.plain', remedy: 'set listen.plain, or remove this key' };
  if (isLocalListener(listen.plain)) return [];
  return {
    path,
    message: `passwords and tokens of clients cross the network to ${listen.plain} unencrypted`,
    remedy: 'let clients use https, or set plainClients: trusted and name the load balancers in trustedProxies',
  };
}
