import type { Loaded } from '../../config/load.ts';
import { fetchKeySet, usableKeys } from '../../upstream/credentials/issuer-keys.ts';
import type { Resolver } from '../../upstream/resolver.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import type { CheckFinding } from './reachability.ts';

/** Whether the keys of each of `auth.issuers` can be fetched. */
export function checkIssuers({ config, material }: Loaded, resolver: Resolver): Promise<CheckFinding[]> {
  const { mode, issuers } = config.auth;
  if (mode !== 'delegate') return Promise.resolve([]);
  return Promise.all(
    issuers.map(async ({ issuer, jwks }, index): Promise<CheckFinding> => {
      const subject = `auth.issuers[${index}]`;
      try {
        const count = usableKeys(await fetchKeySet(new URL(jwks), material.issuerCas?.[index], resolver)).length;
        if (count > 0) return { level: 'ok', subject, message: `${issuer} has ${count} keys` };
        return { level: 'error', subject, message: `${jwks} has no key that verifies signatures`, remedy: REMEDY };
      } catch (error) {
        const message = `the keys of ${issuer} cannot be fetched: ${asUpstreamError(error).message}`;
        return { level: 'error', subject, message, remedy: REMEDY };
      }
    }),
  );
}

const REMEDY =
  'check jwks and caFile, and that the URL needs no login (Kubernetes: bind the role system:service-account-issuer-discovery to the group system:unauthenticated)';
