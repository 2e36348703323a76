/** Paths of the edge's own, beside the registry API. */

/** The edge's own token service. */
export const OWN_TOKEN_PATH = '/auth/token';
/** The token services of upstreams. A sealed address follows. */
export const TOKEN_PATH = '/auth/token/';
export const DOWNLOAD_PATH = '/_breakwater/download/';
/** Hooks of registries. The kind of the sender follows. */
export const HOOKS_PATH = '/hooks/';
/** The senders whose hooks are understood, by the last part of the path. */
export const HOOK_SENDERS = ['harbor', 'distribution'] as const;
export type HookSender = (typeof HOOK_SENDERS)[number];
