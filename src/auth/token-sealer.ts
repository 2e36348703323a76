import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type ClockReading, readClocks } from '../clock/clock.ts';
import { formatScope, parseScope } from '../oci/scope.ts';
import { KeyRing } from './key-ring.ts';

const scope = z.string().transform((text, context) => {
  const parsed = parseScope(text);
  if (!parsed) context.addIssue('not a scope');
  return parsed ?? z.NEVER;
});

/** The content of a token as JSON. It is checked, since another version of the edge may have sealed the token. */
const contentSchema = z
  .object({
    /** `access` opens repositories; `refresh` only obtains new tokens. */
    use: z.enum(['access', 'refresh']),
    sub: z.string().optional(),
    aud: z.string(),
    /** Epoch seconds. */
    iat: z.number(),
    exp: z.number(),
    access: z.array(scope),
    /** What the token depends on: with another password of the user the token is void. */
    basis: z.string().optional(),
    /** The user's own Authorization for the authority. */
    upstream: z.string().optional(),
    /** Token name of a repository and another Authorization for it. */
    upstreams: z.array(z.tuple([z.string(), z.string()])).optional(),
    /** The user's Authorization for a catalog that takes no tokens. */
    catalogAuthorization: z.string().optional(),
    /** Repositories that the authority does not show and that only the authority may serve: the user is about to push to them. */
    authorityOnly: z.array(z.string()).optional(),
    /** Repositories that the authority let the user pull before and does not show now. */
    previouslyGranted: z.array(z.string()).optional(),
    /** The client also asked for a push, and the authority could not be reached. */
    authorityUnreachable: z.literal(true).optional(),
    /** Refresh tokens only: the password for the authority. */
    secret: z.string().optional(),
  })
  .transform(({ sub: user, aud: service, iat, exp, ...claims }) => ({
    ...claims,
    /** Undefined: an anonymous client. */
    user,
    /** The registry that the token is for. */
    service,
    /** Epoch milliseconds. */
    issued: iat * 1000,
    expires: exp * 1000,
  }));

/** The content of the edge's tokens. */
export type Claims = z.output<typeof contentSchema>;

/** `unreadable`: forged, damaged, sealed with another key, or no token. */
export type OpenedToken = { claims: Claims } | { refused: 'unreadable' | 'expired' };

const HEADER = { typ: 'breakwater+jwt' };
const KEY_PURPOSE = 'breakwater tokens 1';
/** Longest token that is read. Twenty scopes with long names stay below. */
const MAX_TOKEN_LENGTH = 16_384;
const MAX_OPENED = 4096;
/** Milliseconds by which the clocks of a pair may differ. */
const SKEW_MS = 60_000;

interface OpenedClaims {
  claims: Claims;
  /** Monotonic milliseconds. */
  until: number;
}

/**
 * Seals and opens the edge's tokens: JWE (RFC 7516), `dir` with A256GCM. Every edge with the same key can read and make tokens, and no
 * other party can. The content is not compressed.
 *
 * Tokens are read by other edges and after a restart, so their times are wall time. Where a token is opened first, its end becomes a
 * monotonic one: a host's clock that is set neither ends nor prolongs the tokens in use (docs/adr/0022-durations-are-monotonic.md).
 */
export class TokenSealer {
  readonly #keys: KeyRing;
  readonly #opened = new LRUCache<string, OpenedClaims>({ maxSize: MAX_OPENED, sizeCalculation: () => 1 });
  readonly #clocks: () => ClockReading;

  /** @param secrets at least one; the first seals, all open */
  constructor(secrets: readonly Buffer[], clocks: () => ClockReading = readClocks) {
    this.#keys = new KeyRing(secrets, KEY_PURPOSE);
    this.#clocks = clocks;
  }

  /** The wall time of a new token; epoch milliseconds. */
  now(): number {
    return this.#clocks().wall;
  }

  seal({ user, service, access, issued, expires, ...claims }: Claims): Promise<string> {
    const content = {
      ...claims,
      sub: user,
      aud: service,
      iat: Math.floor(issued / 1000),
      exp: Math.floor(expires / 1000),
      access: access.map(formatScope),
    };
    return this.#keys.seal(content, HEADER);
  }

  /** The result of `open`, if it is known without a decryption. */
  peekOpened(token: string): OpenedToken | undefined {
    const known = token.length <= MAX_TOKEN_LENGTH ? this.#opened.get(hash('sha256', token, 'base64')) : undefined;
    if (!known) return undefined;
    return this.#clocks().monotonic > known.until ? { refused: 'expired' } : { claims: known.claims };
  }

  async open(token: string): Promise<OpenedToken> {
    const known = this.peekOpened(token);
    if (known) return known;
    const content = token.length <= MAX_TOKEN_LENGTH ? await this.#keys.open(token, HEADER) : undefined;
    const claims = contentSchema.safeParse(content).data;
    if (!claims) return { refused: 'unreadable' };
    const { monotonic, wall } = this.#clocks();
    const leftMs = remainingMs(claims, wall);
    if (typeof leftMs === 'string') return { refused: leftMs };
    this.#opened.set(hash('sha256', token, 'base64'), { claims, until: monotonic + leftMs });
    return { claims };
  }
}

/**
 * Milliseconds for which a token is still good, or why it is not. A refresh token of an edge whose clock was ahead is good as well, at most
 * as long as it was made for: otherwise every user would have to log in again.
 */
function remainingMs({ use, issued, expires }: Claims, now: number): number | 'expired' | 'unreadable' {
  if (expires + SKEW_MS < now) return 'expired';
  const lifetime = expires - issued;
  const aheadMs = use === 'refresh' ? Math.max(lifetime, SKEW_MS) : SKEW_MS;
  if (issued - now > aheadMs) return 'unreadable';
  return Math.min(expires - now, lifetime) + SKEW_MS;
}
