import type { Route } from '../failover/rewrite.ts';
import type { Exchange } from './exchange.ts';
import type { Edge } from './proxy-context.ts';
import type { ManifestRequest } from './pull/upstream-read.ts';
import { isCopied } from './push/hint-targets.ts';

/**
 * Takes note of a manifest that a client is served, of which a copy is to be had. A HEAD of a tag counts too: containerd pulls by the digest
 * that it tells. What a push looks at is no pull.
 * @param digest undefined: nothing was served, or it is not known what
 */
export function notePull(
  { method, pushing }: Exchange,
  { pulls }: Edge,
  route: Route,
  { repository, reference }: ManifestRequest,
  digest: string | undefined,
): void {
  if (digest === undefined || pushing || !isCopied(route)) return;
  if (method === 'HEAD' && reference.includes(':')) return;
  pulls?.note({ registry: route.registry, repository, reference, digest });
}
