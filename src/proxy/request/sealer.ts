import { KeyRing } from '../../auth/key-ring.ts';

/** The URL of an upstream that an answer came from. */
export interface Origin {
  upstream: string;
  url: string;
}

/** Milliseconds for which a sealed redirect is good. */
export const DOWNLOAD_MS = 600_000;

/** The content of a sealed part of a URL. */
export type Sealed =
  /** An upload session: only its issuer understands the path. */
  | ({ kind: 'upload'; repository: string; path: string } & Origin)
  /** A redirect of an upstream to a path outside of its registry API. Any edge may open it, so `expires` is wall time. */
  | ({ kind: 'download'; path: string; expires: number } & Origin)
  /** The token service of a challenge that was relayed, and the registry whose names the client uses. */
  | ({ kind: 'realm'; realm: string; registry?: string | undefined } & Origin);

/**
 * Encrypts values that clients get and send back (JWE, dir, A256GCM; ADR 3). Any edge with the same key can open
 * them, no one else can make one, and they show nothing of the upstream.
 */
export class Sealer {
  readonly #keys: KeyRing;

  /** @param secrets at least one. The first seals, and all of them open. */
  constructor(secrets: readonly Buffer[]) {
    this.#keys = new KeyRing(secrets, 'breakwater sealed locations 1');
  }

  seal(content: Sealed): Promise<string> {
    return this.#keys.seal(content);
  }

  /** The content, if it was sealed with one of the keys and is of that kind. */
  async open<K extends Sealed['kind']>(token: string, kind: K): Promise<Extract<Sealed, { kind: K }> | undefined> {
    const content = (await this.#keys.open(token)) as Sealed | undefined;
    if (content?.kind !== kind) return undefined;
    if (content.kind === 'download' && !isCurrent(content.expires - Date.now())) return undefined;
    return content as Extract<Sealed, { kind: K }>;
  }
}

/** A clock that was set back must not make a redirect last for days. */
function isCurrent(leftMs: number): boolean {
  return leftMs >= 0 && leftMs <= 2 * DOWNLOAD_MS;
}
