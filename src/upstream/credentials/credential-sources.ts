import { resolve } from 'node:path';
import type { CredentialsConfig, UpstreamConfig } from '../../config/schema.ts';
import type { Resolver } from '../resolver.ts';
import { runHelper } from './helper-program.ts';
import { metadataToken } from './metadata-server.ts';
import { fixedUser, nameOf, type OwnUser } from './own-user.ts';
import { type GivenLogin, RenewedUser } from './renewed-user.ts';
import { TokenFile } from './token-file.ts';

/** How often a token file is looked at; milliseconds. */
const FILE_EVERY_MS = 2_000;
/** Longest time between two questions to a metadata server. Its tokens say when they end, and count. */
const METADATA_EVERY_MS = 3_600_000;

export interface CredentialSourcesOptions {
  /** Called when a source begins to fail, when the reason changes, and when it gives credentials again (undefined). */
  onNews?: (source: string, problem: string | undefined, hasLogin: boolean) => void;
  /** Of this process. */
  environment?: NodeJS.ProcessEnv;
  /** An edge serves before the first login is there: its requests wait for it no longer than a probe may take. Default: to the end of the try. */
  serving?: boolean;
}

/** What a source is made from. */
export interface SourceOrigin {
  urls: UpstreamConfig['urls'];
  /** Content of the password file. */
  password: string | undefined;
  /** Base of relative names of token files. */
  folder: string | undefined;
  resolver: Pick<Resolver, 'lookup'>;
  /** Milliseconds that a probe may take. */
  probeMs: number;
}

/** A user that a connection uses until it is closed. */
export interface HeldUser {
  user: OwnUser;
  release(): void;
}

type Renewed = Exclude<Exclude<CredentialsConfig, string>, { passwordFile: string }>;
type WithoutHosts<T> = T extends unknown ? Omit<T, 'realmHosts'> : never;
type RenewedSource = WithoutHosts<Renewed>;

interface Source {
  user: RenewedUser;
  holders: number;
}

/**
 * The programs and services that give Breakwater's own credentials. Connections with the same source share it, so that it is asked once for
 * all of them. It ends with the last connection.
 */
export class CredentialSources {
  readonly #options: CredentialSourcesOptions;
  readonly #sources = new Map<string, Source>();
  /** The end of the last run: one helper runs at a time. */
  #lastRun: Promise<unknown> = Promise.resolve();

  constructor(options: CredentialSourcesOptions = {}) {
    this.#options = options;
  }

  /** The user of configured credentials; undefined: they are none of the edge's own. */
  hold(credentials: CredentialsConfig | undefined, origin: SourceOrigin): HeldUser | undefined {
    if (typeof credentials !== 'object') return undefined;
    if ('passwordFile' in credentials)
      return { user: fixedUser(credentials.username, origin.password ?? ''), release: () => undefined };
    const { realmHosts: _, ...rest } = credentials;
    const { everyMs, give, key = '' } = this.#giver(rest, origin);
    const id = JSON.stringify([rest, key]);
    const source = this.#sources.get(id) ?? { user: this.#start(credentials, everyMs, give, origin), holders: 0 };
    this.#sources.set(id, source);
    source.holders += 1;
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      source.holders -= 1;
      if (source.holders > 0) return;
      this.#sources.delete(id);
      source.user.stop();
    };
    return { user: source.user, release };
  }

  #start(
    credentials: Renewed,
    everyMs: number,
    give: (signal: AbortSignal) => Promise<GivenLogin>,
    { probeMs }: SourceOrigin,
  ): RenewedUser {
    const { onNews, serving } = this.#options;
    const name = nameOf(credentials) ?? '';
    return new RenewedUser({
      name,
      everyMs,
      give,
      waitMs: serving ? probeMs : undefined,
      onNews: (problem, hasLogin) => onNews?.(name, problem, hasLogin),
    });
  }

  /** `key` is what the configured values do not tell. */
  #giver(
    source: RenewedSource,
    { urls, folder = '', resolver }: SourceOrigin,
  ): { everyMs: number; give: (signal: AbortSignal) => Promise<GivenLogin>; key?: string } {
    const { environment = process.env } = this.#options;
    if ('helper' in source) {
      const { helper, server = new URL(urls[0] ?? '').host, renewEvery } = source;
      const run = (signal: AbortSignal) =>
        this.#inTurn(() => runHelper({ helper, server, environment }, signal), signal);
      return { everyMs: renewEvery, give: run, key: server };
    }
    if ('metadata' in source)
      return {
        everyMs: METADATA_EVERY_MS,
        give: (signal) => metadataToken({ resolver, host: environment.GCE_METADATA_HOST }, signal),
      };
    const path = resolve(folder, source.tokenFile);
    const file = new TokenFile(path, source.username);
    return { everyMs: FILE_EVERY_MS, give: () => file.read(), key: path };
  }

  #inTurn<T>(run: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const result = this.#lastRun.then(() => {
      // Its upstream may have gone meanwhile.
      signal.throwIfAborted();
      return run();
    });
    this.#lastRun = result.catch(() => undefined);
    return result;
  }
}
