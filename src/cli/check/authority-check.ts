import type { CanaryLogin } from '../../upstream/credentials/user-authority.ts';
import { LOGIN_REQUESTS, type LoginMethod } from '../../upstream/credentials/user-tokens.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';
import { type CheckFinding, remedyFor } from './reachability.ts';

/**
 * Asks the upstream that decides in `auth.mode: delegate` how its users log in, at each URL that is up. No credentials are sent.
 * @param realmHosts `auth.realmHosts`
 */
export async function checkAuthority(upstream: Upstream, realmHosts: readonly string[]): Promise<CheckFinding[]> {
  // checkUpstream reports the URLs that are down.
  const urls = upstream.view().replicas.flatMap(({ url, state }) => (state === 'up' ? [url] : []));
  return Promise.all(urls.map((url) => checkLogin(upstream, url, realmHosts)));
}

async function checkLogin(upstream: Upstream, url: string, realmHosts: readonly string[]): Promise<CheckFinding> {
  const subject = `${upstream.name} ${url}`;
  const signal = AbortSignal.timeout(LOGIN_REQUESTS * upstream.config.deadlines.manifest);
  try {
    const method = await upstream.connection(url)?.userTokens.checkReachable(realmHosts, signal);
    return { level: 'ok', subject, message: messageOf(method, new URL(url).host) };
  } catch (error) {
    const failure = signal.aborted
      ? new UpstreamError('first-byte', 'its token service does not answer in time')
      : asUpstreamError(error);
    const message = `its users cannot log in: ${failure.message}`;
    return { level: 'error', subject, message, remedy: remedyOf(failure, upstream) };
  }
}

function messageOf(method: LoginMethod | undefined, ownHost: string): string {
  if (method?.by !== 'token')
    return 'its users log in with Basic; Breakwater reads tag lists to find out what each user may pull';
  return `its users log in at ${method.host === ownHost ? 'its own token service' : `the token service at ${method.host}`}`;
}

/**
 * Tries the login by which refusals are judged.
 * @param login undefined: there is none
 */
export async function checkCanaryLogin(upstream: Upstream, login: CanaryLogin | undefined): Promise<CheckFinding[]> {
  const { name: subject, config, userAuthority } = upstream;
  if (upstream.view().state !== 'up') return [];
  if (!login) return config.probe.kind === 'harbor' ? [{ level: 'warning', subject, ...NO_CANARY }] : [];
  const { username, password, scopes, realmHosts } = login;
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  try {
    const { outcome } = await userAuthority.ask(basic, scopes, realmHosts);
    if (outcome === 'granted')
      return [{ level: 'ok', subject, message: `the login of its canary, ${username}, works` }];
    const message = `it refuses the login of ${username}, the canary by which its refusals of users are judged`;
    return [
      { level: 'error', subject, message, remedy: 'renew the password in its file; for a robot of Harbor, its secret' },
    ];
  } catch (error) {
    const message = `the login of its canary cannot be tried: ${asUpstreamError(error).message}`;
    return [{ level: 'warning', subject, message }];
  }
}

const NO_CANARY = {
  message: 'without a canary login, users get 503 for the first seconds in which the database of Harbor is down',
  remedy: 'give auth.canary or probe.credentials a robot of Harbor, or a user of its LDAP',
};

const REMEDIES: [RegExp, string][] = [
  [
    /answers 2\d\d without a way/,
    'it serves everyone without a login: turn its authentication on, or use auth.mode htpasswd or open',
  ],
  [
    /without a way to log in/,
    'it offers no usable login: check its database (Harbor answers so when it is down), and that its URL is a registry',
  ],
  [
    /is on (\S+), which auth\.realmHosts does not name/,
    'if that is its token service, add the host to auth.realmHosts (its users’ passwords go there); if not, correct the realm in the registry',
  ],
  [
    /is not https/,
    'give its token service an https URL (external_url of Harbor, auth.token.realm of distribution), because Breakwater sends no password in the clear',
  ],
  [/names no usable token service/, 'correct the realm in the registry (auth.token.realm): it must be a URL'],
  [/does not answer in time/, 'check the token service that its challenge names, or raise deadlines.manifest'],
  [/token service answers/, 'its challenge names that URL: look at what answers there, or correct the realm'],
];

function remedyOf({ message, reason }: UpstreamError, { config }: Upstream): string {
  const known = REMEDIES.find(([pattern]) => pattern.test(message));
  return known?.[1] ?? remedyFor(reason, config);
}
