import type { Logger } from 'pino';
import type { NetworkSet } from '../config/network.ts';
import type { Config } from '../config/schema.ts';
import type { ProxyRefusal, ProxyTrust } from '../server/proxy-gate.ts';

const SAID: Record<ProxyRefusal, string> = {
  proxyMissing: 'a connection of trustedProxies began without a PROXY header',
  proxyMalformed: 'a connection of trustedProxies began with a broken PROXY header',
  proxyLate: 'a connection sent no PROXY header in time',
  proxyUntrusted: 'a PROXY header from an address that is not in trustedProxies',
};

/** Milliseconds between log lines of one kind, because anybody who can connect can cause them. */
const QUIET_MS = 10_000;

/**
 * The load balancers that listeners trust. Undefined if they send no PROXY header.
 * @param networks the networks of `trustedProxies` at the time of the call
 * @param now in milliseconds
 */
export function proxyTrustOf(
  { listen }: Config,
  networks: () => NetworkSet | undefined,
  log: Logger,
  now: () => number = () => performance.now(),
): ProxyTrust | undefined {
  if (!listen.proxyProtocol) return undefined;
  const kinds = new Map<ProxyRefusal, { quietUntil: number; unsaid: number }>();
  return {
    isProxy: (address) => networks()?.has(address) ?? false,
    onRefused: (refusal, address) => {
      const at = now();
      const kind = kinds.get(refusal) ?? { quietUntil: at, unsaid: 0 };
      kinds.set(refusal, kind);
      if (at < kind.quietUntil) {
        kind.unsaid += 1;
        return;
      }
      log.warn({ address, more: kind.unsaid }, `refused: ${SAID[refusal]}`);
      Object.assign(kind, { quietUntil: at + QUIET_MS, unsaid: 0 });
    },
  };
}
