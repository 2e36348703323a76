import { mergeScopes, parseScope, type Scope } from '../oci/scope.ts';

export type Credentials =
  | { kind: 'none' }
  | { kind: 'password'; user: string; password: string }
  /** A token of an issuer outside, such as that of a Kubernetes service account. */
  | { kind: 'bearer'; token: string }
  | { kind: 'refresh'; token: string };

/** A request to the token service. */
export interface TokenRequest {
  credentials: Credentials;
  scopes: Scope[];
  service: string | undefined;
  wantsRefreshToken: boolean;
}

/** Why a request cannot be read. `credentials`: malformed credentials count as wrong ones. */
export interface UnreadableRequest {
  malformed: string;
}

const MAX_SCOPES = 100;
const MAX_SCOPE = 512;
/** Bound for all scopes together; a token with as many scopes can still be read. */
const MAX_SCOPES_TEXT = 8192;
const MAX_USER = 255;

/** The GET form of the token protocol. @param authorization the header */
export function parseTokenQuery(
  query: URLSearchParams,
  authorization: string | undefined,
): TokenRequest | UnreadableRequest {
  const credentials =
    authorization === undefined
      ? ({ kind: 'none' } as const)
      : (parseBasic(authorization) ?? parseBearer(authorization));
  if (!credentials) return { malformed: 'credentials' };
  // docker sends several parameters; others send one with spaces in it.
  const scopes = parseScopes(query.getAll('scope').join(' '));
  if (!scopes) return { malformed: 'scope' };
  const wantsRefreshToken = query.get('offline_token') === 'true' && credentials.kind === 'password';
  return { credentials, scopes, service: query.get('service') ?? undefined, wantsRefreshToken };
}

/** The POST form (OAuth 2, RFC 6749 sections 4.3 and 6). */
export function parseTokenForm(form: URLSearchParams): TokenRequest | UnreadableRequest {
  const credentials = formCredentials(form);
  if (!credentials) return { malformed: 'grant_type' };
  const scopes = parseScopes(form.getAll('scope').join(' '));
  if (!scopes) return { malformed: 'scope' };
  const wantsRefreshToken = form.get('access_type') === 'offline';
  return { credentials, scopes, service: form.get('service') ?? undefined, wantsRefreshToken };
}

function formCredentials(form: URLSearchParams): Credentials | undefined {
  const [user, password, token] = ['username', 'password', 'refresh_token'].map((name) => form.get(name));
  const type = form.get('grant_type');
  if (type === 'password' && user && password && isUsableLogin(user, password))
    return { kind: 'password', user, password };
  if (type === 'refresh_token' && token) return { kind: 'refresh', token };
  return undefined;
}

/** Reads Basic credentials (RFC 7617); undefined: malformed. */
export function parseBasic(authorization: string): Extract<Credentials, { kind: 'password' }> | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const [user, password] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
  return isUsableLogin(user, password) ? { kind: 'password', user, password } : undefined;
}

/** Reads a Bearer token that may be a JWT (RFC 6750 section 2.1); undefined: it is none. */
export function parseBearer(authorization: string): Extract<Credentials, { kind: 'bearer' }> | undefined {
  const token = /^bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization)?.[1];
  return token === undefined ? undefined : { kind: 'bearer', token };
}

/**
 * A name has no colon (RFC 7617): in a form it could have one, and the authority would take it for the end of the name.
 *
 * A password may have line breaks: Google's registries take a key file as the password (`docker login -u _json_key --password-stdin <
 * key.json`).
 */
function isUsableLogin(user: string, password: string): boolean {
  const readable = !/[\x00-\x1f\x7f:]/.test(user) && !/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(password);
  return user !== '' && user.length <= MAX_USER && readable;
}

/** Merges scopes of the same name. */
function parseScopes(text: string): Scope[] | undefined {
  const texts = text.split(' ').filter((one) => one !== '');
  if (text.length > MAX_SCOPES_TEXT || texts.length > MAX_SCOPES || texts.some((one) => one.length > MAX_SCOPE))
    return undefined;
  const scopes = texts.map(parseScope);
  return scopes.every((scope) => scope !== undefined) ? mergeScopes(scopes) : undefined;
}
