import { BlockList } from 'node:net';
import type { KeyFinding } from './key-path.ts';
import { parseNetwork } from './network.ts';
import type { Config } from './schema.ts';

export function proxyErrors({ listen, trustedProxies }: Config): KeyFinding[] {
  if (!listen.proxyProtocol || trustedProxies.length > 0) return [];
  return [
    {
      path: ['listen', 'proxyProtocol'],
      message: 'no load balancer is known that could send a PROXY header, so that it would be refused from everybody',
      remedy: 'name the addresses of the load balancers under trustedProxies',
    },
  ];
}

/** Addresses in `trustedProxies` may name the client, so clients must not be among them. */
export function proxyWarnings(config: Config): KeyFinding[] {
  const { listen, trustedProxies, auth } = config;
  const everybody = trustedProxies.findIndex((text) => parseNetwork(text)?.bits === 0);
  if (everybody >= 0)
    return [
      {
        path: ['trustedProxies', everybody],
        message: 'everybody may say who the client is, and so pass for any of auth.anonymous and evade the limits',
        remedy: 'name the addresses of the load balancers only',
      },
    ];
  const within = trustedProxies.findIndex((text) => auth.anonymous.some((other) => contains(text, other)));
  if (within < 0) return peerWarnings(config);
  return [
    ...peerWarnings(config),
    {
      path: ['trustedProxies', within],
      message: listen.proxyProtocol
        ? 'holds all of a network of auth.anonymous: clients there are taken for load balancers, and refused without a PROXY header'
        : 'holds all of a network of auth.anonymous: clients there may say that they are somebody else',
      remedy: 'name the addresses of the load balancers only',
    },
  ];
}

/** Edges ask each other directly. Host names are not resolved here. */
function peerWarnings({ listen, trustedProxies, peers }: Config): KeyFinding[] {
  if (!listen.proxyProtocol) return [];
  const refused = peers.findIndex((peer) => {
    const host = new URL(peer).hostname.replace(/^\[(.*)\]$/, '$1');
    return trustedProxies.some((text) => contains(text, host));
  });
  if (refused < 0) return [];
  return [
    {
      path: ['peers', refused],
      message: 'is in trustedProxies: its questions come without a PROXY header and are refused',
      remedy: 'name the addresses of the load balancers only',
    },
  ];
}

/** Whether the inner network lies in the outer one. */
function contains(outer: string, inner: string): boolean {
  const [whole, part] = [parseNetwork(outer), parseNetwork(inner)];
  if (!whole || !part || whole.family !== part.family || part.bits < whole.bits) return false;
  const list = new BlockList();
  list.addSubnet(whole.address, whole.bits, whole.family);
  return list.check(part.address, part.family);
}
