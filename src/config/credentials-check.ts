import type { KeyFinding } from './key-path.ts';
import { isLoopback } from './network.ts';
import type { UpstreamConfig } from './schema.ts';

/** Registries of Google. */
const OF_GOOGLE = /(^|\.)(gcr\.io|pkg\.dev)$/;

/** The token of a machine opens all of Google Cloud that its account may use, so that it goes to registries of Google alone (rule 3). */
export function metadataErrors(name: string, { urls, credentials, probe, replication }: UpstreamConfig): KeyFinding[] {
  const places = [
    { path: ['credentials'], given: credentials },
    { path: ['probe', 'credentials'], given: probe.credentials },
    { path: ['replication', 'credentials'], given: replication.credentials },
  ];
  const other = urls
    .map((text) => new URL(text))
    .find(({ protocol, hostname }) => !isLoopback(hostname) && !(protocol === 'https:' && OF_GOOGLE.test(hostname)));
  if (!other) return [];
  return places.flatMap(({ path, given }) =>
    typeof given === 'object' && 'metadata' in given
      ? {
          path: ['upstreams', name, ...path, 'metadata'],
          message: `the access token of this machine opens Google Cloud, and ${other.origin} is no registry of Google over https (gcr.io, pkg.dev)`,
          remedy: 'set other credentials for it: a user with a password file, a token file, or a helper',
        }
      : [],
  );
}
