import type { KeyFinding } from './key-path.ts';
import { isLocalListener } from './network.ts';
import type { Config } from './schema.ts';

/** What the admin listener shows, and to whom. */
export function adminWarnings({ listen, adminTokenFile, metricsTokenFile }: Config): KeyFinding | [] {
  if (adminTokenFile !== undefined) return [];
  if (!isLocalListener(listen.admin))
    return {
      path: ['listen', 'admin'],
      message: `other machines can reach ${listen.admin}, and there is no adminTokenFile: only /healthz, /readyz and /vipz are answered there`,
      remedy:
        'head -c 24 /dev/urandom | base64 > admin.token, and add adminTokenFile: admin.token; or listen on 127.0.0.1',
    };
  if (metricsTokenFile === undefined) return [];
  return {
    path: ['metricsTokenFile'],
    message: 'has no effect: without adminTokenFile a listener on loopback shows /metrics to every local program',
    remedy: 'add adminTokenFile, or remove metricsTokenFile',
  };
}
