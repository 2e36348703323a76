import type { UpstreamConfig } from '../../config/schema.ts';
import type { ReplicaView } from '../../failover/view.ts';
import { parseChallenges } from '../../oci/challenge.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { UpstreamAnswer } from '../../upstream/upstream-call.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';

/** Something that `check` found, with what to do about it. */
export interface CheckFinding {
  level: 'ok' | 'warning' | 'error';
  /** What it is about: a key of the configuration, or an upstream's URL. */
  subject: string;
  message: string;
  remedy?: string;
}

/** Looks at an upstream that has been probed once: reachability, canary, credentials. */
export async function checkUpstream(upstream: Upstream): Promise<CheckFinding[]> {
  const view = upstream.view();
  const findings: CheckFinding[] = [];
  for (const replica of view.replicas) {
    const subject = `${view.name} ${replica.url}`;
    findings.push(...stateFindings(subject, replica, upstream.config));
    if (replica.state === 'up') findings.push(...(await credentialFindings(subject, upstream, replica.url)));
  }
  if (view.readOnly)
    findings.push({
      level: 'warning',
      subject: view.name,
      message: 'it says that it is read-only, so pushes are refused',
      remedy: 'end read-only mode in Harbor (Administration, Configuration) when the maintenance is over',
    });
  if (view.unhealthy.length > 0)
    findings.push({
      level: 'warning',
      subject: view.name,
      message: `Harbor reports as unhealthy: ${view.unhealthy.join(', ')}`,
      remedy: 'look at these components in Harbor; pulls may work all the same',
    });
  return findings;
}

function stateFindings(subject: string, replica: ReplicaView, config: UpstreamConfig): CheckFinding[] {
  if (replica.state !== 'up')
    return [{ level: 'error', subject, message: replica.reason, remedy: remedyFor(replica.reason, config) }];
  const took = replica.probeMs === undefined ? '' : ` (${replica.probeMs} ms)`;
  if (replica.canary === 'good') return [{ level: 'ok', subject, message: `reachable, ${replica.reason}${took}` }];
  return [
    {
      level: 'warning',
      subject,
      message: `reachable${took}, but its probe is shallow: a registry whose storage hangs or is gone still answers it`,
      remedy: 'push a small image there and name it in probe.canary; give probe.credentials if it is private',
    },
  ];
}

/** Whether the edge's own credentials are accepted at all, canary or not. */
async function credentialFindings(subject: string, upstream: Upstream, url: string): Promise<CheckFinding[]> {
  const { credentials } = upstream.config;
  if (credentials === 'forward') return [];
  const signal = AbortSignal.timeout(upstream.config.deadlines.manifest);
  try {
    const answer = await upstream
      .connection(url)
      ?.send({ method: 'GET', path: '/v2/', headers: {}, scopes: [], signal, redirects: 'pass' });
    await answer?.body.dump({ limit: 16_384 });
    if (credentials === 'none') return answer ? strangerFindings(subject, answer) : [];
    if (answer?.status === 200) return [{ level: 'ok', subject, message: 'the credentials are accepted' }];
    return [
      {
        level: 'error',
        subject,
        message: `the credentials are refused: /v2/ answers ${answer?.status}`,
        remedy: 'check username and passwordFile of its credentials',
      },
    ];
  } catch (error) {
    const { reason, message } = asUpstreamError(error);
    return [
      {
        level: 'error',
        subject,
        message: `the credentials do not work: ${message}`,
        remedy: remedyFor(reason, upstream.config),
      },
    ];
  }
}

/** Of one that is shown nothing: it may give tokens to nobody in particular; Basic is for users only. */
function strangerFindings(subject: string, { status, headers }: UpstreamAnswer): CheckFinding[] {
  const schemes = parseChallenges(headers.joined('www-authenticate')).map(({ scheme }) => scheme);
  if (status !== 401 || schemes.includes('bearer')) return [];
  return [
    {
      level: 'warning',
      subject,
      message: 'it wants credentials, and its credentials are none: nothing can be pulled from it, or pushed',
      remedy: 'give it { username, passwordFile }, or forward',
    },
  ];
}

const REMEDIES: [RegExp, string][] = [
  [/\bdns\b|ENOTFOUND|EAI_AGAIN/, 'check the host name in urls, and the resolver of this machine'],
  [
    /\btls\b|certificate/i,
    'give the authority that signed its certificate as caFile, and check that the certificate carries the host name of urls',
  ],
  [/ECONNREFUSED|\bconnect\b/, 'check host and port in urls, whether the registry runs, and firewalls between'],
  [
    /canary manifest answers 404/,
    "push a small image there under the name of probe.canary, or correct the name (it is the upstream's own, with its prefix)",
  ],
  [
    /answers 40[13]|credentials/,
    'give the probe credentials that may read the canary (probe.credentials), and check passwordFile; a token service on another host must be in realmHosts',
  ],
  [/redirect-host/, 'name the storage host in redirects.hosts, or set redirects.mode: pass'],
  [/timed out|first-byte/, 'it accepts connections but does not answer in probe.timeout: look at its storage'],
  [/\/v2\/ answers/, 'is there a registry at this URL? A base path belongs into urls'],
];

/** @param reason in words, or a `Failure` */
export function remedyFor(reason: string, config: UpstreamConfig): string {
  const known = REMEDIES.find(([pattern]) => pattern.test(reason));
  return known?.[1] ?? `look at what answers at ${config.urls.join(', ')}`;
}
