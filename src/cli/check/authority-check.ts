import type { LoginMethod } from '../../upstream/credentials/user-tokens.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';
import { type CheckFinding, remedyFor } from './reachability.ts';

/**
 * Asks the upstream that decides in `auth.mode: delegate` how its users log in, at each of its URLs that is up; none of them is shown
 * anything of anybody's.
 * @param realmHosts `auth.realmHosts`
 */
export async function checkAuthority(upstream: Upstream, realmHosts: readonly string[]): Promise<CheckFinding[]> {
  // What is wrong with the others has been said already.
  const urls = upstream.view().replicas.flatMap(({ url, state }) => (state === 'up' ? [url] : []));
  return Promise.all(urls.map((url) => askAt(upstream, url, realmHosts)));
}

async function askAt(upstream: Upstream, url: string, realmHosts: readonly string[]): Promise<CheckFinding> {
  const subject = `${upstream.name} ${url}`;
  const signal = AbortSignal.timeout(upstream.config.deadlines.manifest);
  try {
    const way = await upstream.connection(url)?.userTokens.checkReachable(realmHosts, signal);
    return { level: 'ok', subject, message: messageOf(way, new URL(url).host) };
  } catch (error) {
    const failure = signal.aborted
      ? new UpstreamError('first-byte', 'its token service does not answer in time')
      : asUpstreamError(error);
    return {
      level: 'error',
      subject,
      message: `its users cannot log in: ${failure.message}`,
      remedy: remedyOf(failure, upstream),
    };
  }
}

function messageOf(way: LoginMethod | undefined, own: string): string {
  if (way?.by !== 'token') return 'its users log in with Basic; what each may pull is found out by reading tag lists';
  return `its users log in at ${way.host === own ? 'its own token service' : `the token service at ${way.host}`}`;
}

const REMEDIES: [RegExp, string][] = [
  [
    /answers 2\d\d without a way/,
    'it lets everybody in: turn its authentication on, or decide at the edge (auth.mode htpasswd), or nowhere (open)',
  ],
  [
    /without a way to log in/,
    'it asks for nothing that a user could give: look at its database (Harbor answers so without one), and at what answers at its URL',
  ],
  [
    /is on (\S+), which auth\.realmHosts does not name/,
    'if that is its token service, name the host in auth.realmHosts: passwords of its users go there; if not, correct the realm in the registry',
  ],
  [
    /is not https/,
    'passwords never go in the clear where the registry is https: give its token service an https URL (external_url of Harbor, auth.token.realm of distribution)',
  ],
  [/names no usable token service/, 'correct the realm in the registry: it is to be a URL (auth.token.realm)'],
  [
    /does not answer in time/,
    'it has deadlines.manifest for an answer: look at the token service that its challenge names',
  ],
  [/token service answers/, 'its challenge names that URL: look at what answers there, or correct the realm'],
];

function remedyOf({ message, reason }: UpstreamError, { config }: Upstream): string {
  const known = REMEDIES.find(([pattern]) => pattern.test(message));
  return known?.[1] ?? remedyFor(reason, config);
}
