import type { Failure } from '../../failover/classify.ts';
import { type Challenge, parseChallenges } from '../../oci/challenge.ts';
import { mayGetCredentials, type Reach } from '../allowed-hosts.ts';
import { dropBody } from '../body/explanatory-body.ts';
import { readJson } from '../body/read-body.ts';
import type { CallElsewhere, Client } from '../client.ts';

import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import { basicOf, isRefreshToken, type Login } from './own-user.ts';

const MAX_REPLY_BYTES = 262_144;
const MIN_SECONDS = 60;
const MAX_SECONDS = 86_400;

export interface Token {
  value: string;
  /** Seconds. */
  expiresIn: number;
}

/** The challenge of a WWW-Authenticate header that can be met: Bearer before Basic. */
export function usableChallenge(wwwAuthenticate: string | undefined): Challenge | undefined {
  const challenges = parseChallenges(wwwAuthenticate);
  return (
    challenges.find((one) => one.scheme === 'bearer' && one.parameters.realm !== undefined) ??
    challenges.find((one) => one.scheme === 'basic')
  );
}

/** The rules for the realm of a challenge. */
export interface RealmRules {
  /** The URL whose challenge it is. */
  upstream: URL;
  reach: Reach;
  /** The configuration key of the operator's list, for the error's message. */
  key: string;
  /** The failure to report for a realm that breaks the rules. */
  failure: Failure;
}

/**
 * The URL of the token service that a challenge names. Requests go only where `mayGetCredentials` allows, those without a password too, and
 * in the clear only when the upstream itself is plain HTTP.
 * @throws UpstreamError with the reason `failure`
 */
export function tokenServiceUrl({ parameters }: Challenge, rules: RealmRules): URL {
  const { upstream, reach, key, failure } = rules;
  const { realm: text = '', service } = parameters;
  const realm = URL.parse(text);
  if (!realm || !/^https?:$/.test(realm.protocol))
    throw new UpstreamError(failure, 'the challenge names no usable token service');
  if (realm.protocol === 'http:' && upstream.protocol === 'https:')
    throw new UpstreamError(failure, `the token service at ${realm.host} is not https`);
  if (!mayGetCredentials(realm, reach))
    throw new UpstreamError(failure, `the token service is on ${realm.host}, which ${key} does not name`);
  if (service !== undefined) realm.searchParams.set('service', service);
  return realm;
}

/** Named in questions with a refresh token, which need a name of the client (distribution, "OAuth2 Token Authentication"). */
const CLIENT_ID = 'breakwater';

/** A question to a token service: by GET with a password or without (Docker token protocol), by POST with a refresh token (OAuth2). */
function questionOf(realm: URL, login: Login | undefined): { url: URL; call: Omit<CallElsewhere, 'signal'> } {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (!login || !isRefreshToken(login)) {
    if (login) headers.authorization = basicOf(login);
    return { url: realm, call: { method: 'GET', headers } };
  }
  const url = new URL(realm);
  url.search = '';
  const form = new URLSearchParams(realm.searchParams);
  const scopes = form.getAll('scope');
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  form.set('grant_type', 'refresh_token');
  form.set('client_id', CLIENT_ID);
  form.set('refresh_token', login.password);
  headers['content-type'] = 'application/x-www-form-urlencoded';
  return { url, call: { method: 'POST', headers, body: form.toString() } };
}

/**
 * Asks a token service for a token.
 * @param login of the user, if there is one
 * @param limitMs milliseconds for the whole request
 * @throws UpstreamError whose message names the host and nothing else of the request
 */
export async function fetchToken(
  client: Client,
  realm: URL,
  login: Login | undefined,
  limitMs: number,
): Promise<Token> {
  const signal = AbortSignal.timeout(limitMs);
  const { url, call } = questionOf(realm, login);
  try {
    const answer = await client.sendElsewhere(url, { ...call, signal });
    if (answer.status === 200) {
      const { value, expiresIn } = readToken(await readJson(answer.body, MAX_REPLY_BYTES), realm.host);
      return { value, expiresIn: Math.min(expiresIn, MAX_SECONDS) };
    }
    await dropBody(answer.body);
    throw new UpstreamError(
      refusalReason(answer.status),
      `the token service at ${realm.host} answers ${answer.status}`,
      undefined,
      answer.status,
    );
  } catch (error) {
    if (signal.aborted)
      throw new UpstreamError('first-byte', `the token service at ${realm.host} did not answer in time`);
    throw asUpstreamError(error);
  }
}

function refusalReason(status: number): Failure {
  if (status === 429) return 'rate-limited';
  return status >= 500 ? 'status-5xx' : 'credentials';
}

/**
 * Reads the reply of a token service (Docker token protocol).
 * @param host of the token service, for the error's message
 * @throws UpstreamError malformed
 */
export function readToken(reply: unknown, host: string): Token {
  const fields: Record<string, unknown> = typeof reply === 'object' && reply !== null ? { ...reply } : {};
  const value = fields.token ?? fields.access_token;
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value))
    throw new UpstreamError('malformed', `the token service at ${host} sent no token`);
  const expiresIn = fields.expires_in;
  // 60 s are the protocol's default, and its minimum.
  return { value, expiresIn: typeof expiresIn === 'number' ? Math.max(expiresIn, MIN_SECONDS) : MIN_SECONDS };
}
