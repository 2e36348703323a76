import type { AdminAccess } from '../admin/admin-handler.ts';
import type { Loaded } from '../config/load.ts';
import { isLoopback, type NetworkSet } from '../config/network.ts';
import { listenAddress } from '../server/bound-address.ts';

/**
 * The access rules of the admin listener, as the configuration says.
 * @param boundTo the address that the listener got for the name or address in `listen.admin`
 */
export function adminAccessOf(
  { config, material }: Loaded,
  boundTo: string,
  trustedProxies: NetworkSet | undefined,
): AdminAccess {
  const { admin, adminHosts } = config.listen;
  return {
    address: admin,
    loopback: isLoopback(boundTo),
    // A listener that is configured by a name is also reached by it.
    hosts: [listenAddress(admin).host.toLowerCase(), ...adminHosts],
    token: material.adminToken,
    metricsToken: material.metricsToken,
    trustedProxies,
  };
}
