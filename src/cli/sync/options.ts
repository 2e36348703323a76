import type { UrlOptions } from './url-settings.ts';

/** Options of `breakwater sync` as commander gives them. */
export interface SyncCommandOptions {
  config?: string;
  dryRun?: boolean;
  prefix?: string;
  repository?: string[];
  repositoryFile?: string;
  tagFilter?: string[];
  keep?: boolean;
  replace?: boolean;
  images?: number;
  blobs?: number;
  /** Bytes a second. */
  maxBandwidth?: number;
  json?: boolean;
  fromPrefix?: string;
  toPrefix?: string;
  fromUser?: string;
  fromPasswordFile?: string;
  fromCa?: string;
  fromRealmHost?: string[];
  fromRedirectHost?: string[];
  toUser?: string;
  toPasswordFile?: string;
  toCa?: string;
  toRealmHost?: string[];
}

/** What they say of one side. */
export function sideOptions(which: 'from' | 'to', options: SyncCommandOptions): UrlOptions {
  if (which === 'to') {
    const { toUser: user, toPasswordFile: passwordFile, toCa: ca, toRealmHost: realmHost } = options;
    return { user, passwordFile, ca, realmHost };
  }
  const { fromUser: user, fromPasswordFile: passwordFile, fromCa: ca, fromRealmHost: realmHost } = options;
  return { user, passwordFile, ca, realmHost, redirectHost: options.fromRedirectHost };
}
