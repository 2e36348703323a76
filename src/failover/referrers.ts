import type { ReferrersSupport } from '../oci/referrers-list.ts';
import type { UpstreamView } from './view.ts';

/** What fallbacks have of the referrers of an image. */
export interface CopiedReferrers {
  /** Whether the primary has the referrers API. */
  primary: ReferrersSupport;
  /** The answer of their referrers API. `absent`: they have none. Undefined: not asked yet. */
  list: 'entries' | 'empty' | 'absent' | 'failed' | undefined;
  /** The index under the referrers tag. Undefined: not asked yet. */
  index: 'there' | 'absent' | 'failed' | undefined;
}

/** `list`, `index`: that is the answer. `no-api`: 404, as the primary would say. `failed`: 503. */
export type ReferrersStep = 'ask-list' | 'ask-index' | 'list' | 'index' | 'empty-list' | 'no-api' | 'failed';

/**
 * The next step of an answer in place of the primary: what a client would have found there. Where the primary has no referrers API, clients
 * read the index and keep it up to date, so that a fallback's own list may have what they have removed from it.
 */
export function nextReferrersStep({ primary, list, index }: CopiedReferrers): ReferrersStep {
  if (primary !== 'lacks') {
    if (list === undefined) return 'ask-list';
    if (list === 'entries' || (list === 'empty' && primary === 'has')) return 'list';
  }
  if (index === undefined) return 'ask-index';
  if (index === 'there') return 'index';
  if (index === 'failed' || list === 'failed') return 'failed';
  if (primary === 'lacks') return 'no-api';
  return list === 'empty' ? 'list' : 'empty-list';
}

/** Whether the primary itself answers for referrers: while pushes are admitted, and also later while a URL of it shows content. */
export function answersReferrers({ gate, replicas }: Pick<UpstreamView, 'gate' | 'replicas'>): boolean {
  if (gate.mode !== 'refusing') return true;
  return replicas.some(({ state, suspected, proof }) => state === 'up' && !suspected && proof.state !== 'unproven');
}
