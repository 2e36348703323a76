import type { UpstreamConfig } from '../../config/schema.ts';
import type { ReplicaView, UpstreamView } from '../../failover/view.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { UpstreamAnswer } from '../../upstream/upstream-call.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';

/** A finding of `check`, with its remedy. */
export interface CheckFinding {
  level: 'ok' | 'warning' | 'error';
  /** A key of the configuration, or an upstream with its URL. */
  subject: string;
  message: string;
  remedy?: string | undefined;
}

/** Checks reachability, canary and credentials. @param upstream has been probed once */
export async function checkUpstream(upstream: Upstream): Promise<CheckFinding[]> {
  const view = upstream.view();
  const findings: CheckFinding[] = [];
  for (const replica of view.replicas) {
    const subject = `${view.name} ${replica.url}`;
    findings.push(...stateFindings(subject, view.name, replica, upstream.config));
    if (replica.state === 'up') findings.push(...(await credentialFindings(subject, upstream, replica.url)));
  }
  if (view.readOnly) {
    const message = 'it is read-only, so pushes are refused';
    const remedy = 'end read-only mode in Harbor (Administration, Configuration) when the maintenance is over';
    findings.push({ level: 'warning', subject: view.name, message, remedy });
  }
  if (view.unhealthy.length > 0) {
    const message = `Harbor reports as unhealthy: ${view.unhealthy.join(', ')}`;
    const remedy = 'check these components in Harbor; pulls may still work';
    findings.push({ level: 'warning', subject: view.name, message, remedy });
  }
  return findings;
}

/** A Harbor that takes pushes must tell whether it is read-only. */
export function modeFindings({ name: subject, state, modeUnknownSince }: UpstreamView): CheckFinding[] {
  if (state !== 'up' || modeUnknownSince === undefined) return [];
  const message = 'it does not tell whether it is read-only, so the status cannot say that it refuses pushes';
  const remedy = `set upstreams.${subject}.probe.credentials: Harbor tells its users only`;
  return [{ level: 'warning', subject, message, remedy }];
}

function stateFindings(subject: string, name: string, replica: ReplicaView, config: UpstreamConfig): CheckFinding[] {
  if (replica.state !== 'up')
    return [{ level: 'error', subject, message: replica.reason, remedy: remedyFor(replica.reason, config) }];
  const took = replica.probeMs === undefined ? '' : ` (${replica.probeMs} ms)`;
  if (replica.canary === 'good') return [{ level: 'ok', subject, message: `reachable, ${replica.reason}${took}` }];
  const remedy = `run "breakwater canary push ${name}", and set probe.canary as it says; add probe.credentials if the image is private`;
  if (replica.proof.state === 'unproven') {
    const message = `reachable${took}, but ${replica.proof.reason}, so its storage may be missing: pushes there are refused, and its 404s are not believed`;
    const orAllow = `check its storage; if it is new and empty, ${remedy}; or set probe.allowEmpty to true`;
    return [{ level: 'error', subject, message, remedy: orAllow }];
  }
  const message = `reachable${took}, but without a canary the probe does not notice when its storage hangs or is lost`;
  return [{ level: 'warning', subject, message, remedy }];
}

/** The version check, a token, and the version check again. At a slow upstream they take longer than one deadline (rule 11). */
const MAX_REQUESTS = 3;

/** Checks that the upstream accepts the edge's own credentials. */
async function credentialFindings(subject: string, upstream: Upstream, url: string): Promise<CheckFinding[]> {
  const { credentials } = upstream.config;
  if (credentials === 'forward') return [];
  const signal = AbortSignal.timeout(MAX_REQUESTS * upstream.config.deadlines.manifest);
  try {
    const answer = await upstream
      .connection(url)
      ?.send({ method: 'GET', path: '/v2/', headers: {}, scopes: [], signal, redirects: 'pass' });
    await answer?.body.dump({ limit: 16_384 });
    if (credentials === 'none') return answer ? anonymousFindings(subject, answer) : [];
    if (answer?.status === 200) return [{ level: 'ok', subject, message: 'the credentials are accepted' }];
    const message = `the credentials are refused: /v2/ answers ${answer?.status}`;
    const remedy = 'check username and passwordFile in the credentials of this upstream';
    return [{ level: 'error', subject, message, remedy }];
  } catch (error) {
    const failure = asUpstreamError(error);
    const message = `the credentials do not work: ${failure.message}`;
    return [{ level: 'error', subject, message, remedy: remedyFor(failure.reason, upstream.config) }];
  }
}

/** Checks an upstream with `credentials: none`. It may give out anonymous tokens; Basic is only for users. */
function anonymousFindings(subject: string, { status, headers }: UpstreamAnswer): CheckFinding[] {
  const schemes = parseChallenges(headers.joined('www-authenticate')).map(({ scheme }) => scheme);
  if (status !== 401 || schemes.includes('bearer')) return [];
  const message = 'it requires a login, but its credentials are none, so every pull and push there will fail';
  const remedy = 'set its credentials to { username, passwordFile }, or to forward';
  return [{ level: 'warning', subject, message, remedy }];
}

const REMEDIES: [RegExp, string][] = [
  [/\bdns\b|ENOTFOUND|EAI_AGAIN/, 'check the host name in urls, and DNS on this machine'],
  [
    /\btls\b|certificate/i,
    'set caFile to the CA that signed its certificate, and check that the certificate has the host name of urls',
  ],
  [/ECONNREFUSED|\bconnect\b/, 'check host and port in urls, that the registry runs, and firewalls on the way'],
  [
    /canary manifest answers 404/,
    'run "breakwater canary push", or correct the name in probe.canary (it must include the prefix on this upstream)',
  ],
  [
    /answers 40[13]|credentials/,
    'set probe.credentials to an account that may read the canary, and check its password or helper; add a token service on another host to realmHosts of the upstream',
  ],
  [/redirect-host/, 'add the storage host to redirects.hosts, or set redirects.mode: pass'],
  [/timed out|first-byte/, 'it accepts connections but does not answer within probe.timeout: check its storage'],
  [/\/v2\/ answers/, 'check that a registry answers at this URL; a base path belongs in urls'],
];

/** @param reason a message, or a `Failure` */
export function remedyFor(reason: string, config: UpstreamConfig): string {
  const known = REMEDIES.find(([pattern]) => pattern.test(reason));
  return known?.[1] ?? `look at what answers at ${config.urls.join(', ')}`;
}
