import { BlockList } from 'node:net';
import type { KeyFinding } from './key-path.ts';
import { parseNetwork, UNIX } from './network.ts';
import type { Config } from './schema.ts';

export function proxyErrors({ listen, trustedProxies }: Config): KeyFinding | [] {
  const key = (['https', 'plain'] as const).find((one) => listen[one]?.startsWith(UNIX));
  if (listen.proxyProtocol && key !== undefined)
    return {
      path: ['listen', 'proxyProtocol'],
      message: `listen.${key} is a unix socket, which takes no PROXY header`,
      remedy:
        'listen on an address and port; or let the load balancer send X-Forwarded-For, and add unix: to trustedProxies',
    };
  if (!listen.proxyProtocol || trustedProxies.length > 0) return [];
  return {
    path: ['listen', 'proxyProtocol'],
    message: 'trustedProxies is empty, so every PROXY header would be refused',
    remedy: 'list the addresses of the load balancers in trustedProxies',
  };
}

/** Addresses in `trustedProxies` may name the client, so clients must not be among them. */
export function proxyWarnings(config: Config): KeyFinding | KeyFinding[] {
  const { listen, trustedProxies, auth } = config;
  const everybody = trustedProxies.findIndex((text) => parseNetwork(text)?.bits === 0);
  if (everybody >= 0)
    return {
      path: ['trustedProxies', everybody],
      message: 'every client could claim another address, join auth.anonymous and evade limits',
      remedy: 'list only the addresses of the load balancers',
    };
  const within = trustedProxies.findIndex((text) => auth.anonymous.some((other) => contains(text, other)));
  if (within < 0) return peerWarnings(config);
  return [
    peerWarnings(config),
    {
      path: ['trustedProxies', within],
      message: listen.proxyProtocol
        ? 'contains a network of auth.anonymous: its clients count as load balancers and are refused without a PROXY header'
        : 'contains a network of auth.anonymous: its clients could claim another address',
      remedy: 'list only the addresses of the load balancers',
    },
  ].flat();
}

/** Edges ask each other directly. Host names are not resolved here. */
function peerWarnings({ listen, trustedProxies, peers }: Config): KeyFinding | [] {
  if (!listen.proxyProtocol) return [];
  const refused = peers.findIndex((peer) => {
    const host = new URL(peer).hostname.replace(/^\[(.*)\]$/, '$1');
    return trustedProxies.some((text) => contains(text, host));
  });
  if (refused < 0) return [];
  return {
    path: ['peers', refused],
    message: 'is in trustedProxies: its requests have no PROXY header and are refused',
    remedy: 'list only the addresses of the load balancers',
  };
}

/** Whether the inner network lies in the outer one. */
function contains(outer: string, inner: string): boolean {
  const [whole, part] = [parseNetwork(outer), parseNetwork(inner)];
  if (!whole || !part || whole.family !== part.family || part.bits < whole.bits) return false;
  const list = new BlockList();
  list.addSubnet(whole.address, whole.bits, whole.family);
  return list.check(part.address, part.family);
}
