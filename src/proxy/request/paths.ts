/** Paths of the edge's own, beside the registry API. */

/** The edge's own token service. */
export const OWN_TOKEN_PATH = '/auth/token';
/** Those of upstreams, whose sealed addresses follow. */
export const TOKEN_PATH = '/auth/token/';
export const DOWNLOAD_PATH = '/_breakwater/download/';
/** What registries tell; who tells it follows. */
export const HOOKS_PATH = '/hooks/';
/** Whose hooks are understood, by the last part of their path. */
export const HOOK_SENDERS = ['harbor', 'distribution'] as const;
export type HookSender = (typeof HOOK_SENDERS)[number];
