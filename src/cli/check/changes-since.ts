import type { KeyFinding } from '../../config/key-path.ts';
import { isLocalListener } from '../../config/network.ts';
import type { Config, UpstreamConfig } from '../../config/schema.ts';
import { UsageError } from '../config-path.ts';

/** Releases from which `check --from` knows what changed. */
const RELEASES = ['0.1'];

/** What changed whatever the configuration says. */
const EVERYWHERE: KeyFinding[] = [
  {
    path: [],
    message:
      '`status` also ends with 1 while its headline is amber, such as without a canary, and every command if its output could not be written; `coverage` ends with 1 for what is missing, or unknown for longer than --grace, and not for copies that are being made; a log line has its level as a word; the metric of corrupt copies is now breakwater_corrupt_copies',
    remedy: 'look at scripts, log filters and alerts that read them',
  },
];

/**
 * The lines of a configuration whose meaning has changed since a release, with what to do. Pure: nothing is contacted.
 * @throws UsageError for a release of which nothing is known
 */
export function changesSince(release: string, config: Config): KeyFinding[] {
  if (!RELEASES.includes(release.split('.').slice(0, 2).join('.')))
    throw new UsageError(`nothing is known of the release ${release}; known are ${RELEASES.join(', ')}`);
  return [
    ...adminChanges(config),
    ...Object.entries(config.upstreams).flatMap(([name, upstream]) => [
      ...realmChanges(name, upstream),
      ...canaryChanges(config, name, upstream),
    ]),
    ...authChanges(config),
    ...routeChanges(config),
    ...peerChanges(config),
    ...EVERYWHERE,
  ];
}

function adminChanges({ listen, adminTokenFile, metricsTokenFile }: Config): KeyFinding[] {
  const path = ['listen', 'admin'];
  const findings: KeyFinding[] = [];
  if (listen.adminHosts.length === 0)
    findings.push({
      path,
      message: 'only hosts that it knows are answered now; a request by another host name gets 421',
      remedy: 'add the names by which you and Prometheus reach it to listen.adminHosts; addresses need no line',
    });
  if (adminTokenFile === undefined && !isLocalListener(listen.admin))
    findings.push({
      path,
      message:
        'other machines can reach it: without adminTokenFile it now answers them only /healthz, /readyz and /vipz',
      remedy: 'add adminTokenFile, and give Prometheus a token by metricsTokenFile',
    });
  if (adminTokenFile !== undefined)
    findings.push({
      path: ['adminTokenFile'],
      message: `everything but /healthz, /readyz and /vipz now needs this token${metricsTokenFile === undefined ? ', /metrics too' : ''}; before, nothing that only reads did. One of less than 16 characters opens nothing`,
      remedy: 'give Prometheus a token of its own by metricsTokenFile, and commands one by --token-file',
    });
  return findings;
}

function realmChanges(name: string, { urls, credentials, realmHosts }: UpstreamConfig): KeyFinding[] {
  if (realmHosts.length > 0) return [];
  const before =
    typeof credentials === 'object'
      ? 'before, its port did not matter'
      : 'before, requests for tokens went wherever the registry pointed';
  const hosts = [...new Set(urls.map((url) => new URL(url).host))].join(', ');
  return [
    {
      path: ['upstreams', name, 'urls'],
      message: `a token service gets requests only at ${hosts}, at the https port of the same host, or where a well-known registry has it; ${before}`,
      remedy: `if ${name} has it elsewhere, add upstreams.${name}.realmHosts: [HOST]; "breakwater check" without --offline names that host`,
    },
  ];
}

function canaryChanges(
  { routes }: Config,
  name: string,
  { probe, credentials, replication }: UpstreamConfig,
): KeyFinding[] {
  const findings: KeyFinding[] = [];
  const isPushedTo = routes.some(({ push }) => push === name);
  if (probe.canary === undefined && !probe.allowEmpty)
    findings.push({
      path: ['upstreams', name],
      message: `without a canary, its 404s and empty lists are not believed until something was read from it${isPushedTo ? ', and pushes are refused until then' : ''}: its storage may not be mounted`,
      remedy: `run "breakwater canary push ${name}" and set probe.canary; for a registry that is meant to be empty, set probe.allowEmpty`,
      atKey: true,
    });
  if (isPushedTo && credentials === 'forward' && typeof replication.credentials === 'object')
    findings.push({
      path: ['upstreams', name, 'replication', 'credentials'],
      message: 'these also read tags, and look for what was pushed, to notice a restored snapshot or a lost volume',
      remedy: 'let this account pull everything that clients push',
    });
  return findings;
}

function authChanges({ auth, upstreams }: Config): KeyFinding[] {
  if (auth.mode !== 'delegate') return [];
  const findings: KeyFinding[] = [];
  const [name] = Object.keys(upstreams).filter((one) => upstreams[one]?.credentials === 'forward');
  if (auth.canary === undefined)
    findings.push({
      path: ['auth', 'mode'],
      message: `a refusal of a password that was right before is believed only if ${name} accepts a login that is known to be good: by default that of its probe, otherwise after a minute`,
      remedy: 'set auth.canary, or probe.credentials of that upstream; none: auth.canary: none',
    });
  if (auth.realmHosts.length > 0)
    findings.push({
      path: ['auth', 'realmHosts'],
      message: `these hosts also count for the edge's own credentials at ${name}, as if they were in upstreams.${name}.realmHosts`,
      remedy: 'keep only hosts of its token service here',
    });
  return findings;
}

function routeChanges({ auth, routes, upstreams }: Config): KeyFinding[] {
  return [...routes.entries()].flatMap(([index, { onAbsent, deletions, pull }]) => {
    const at = (key: string) => ['routes', index, key];
    const first = pull[0]?.upstream ?? '';
    const findings: KeyFinding[] = [];
    if (auth.mode === 'open' && upstreams[first]?.credentials === 'forward')
      findings.push({
        path: onAbsent === 'next' ? at('onAbsent') : ['routes', index, 'pull', 0],
        message: `a 404 of ${first} to a client's own credentials is final for that client: no other upstream shows what ${first} may be hiding${onAbsent === 'next' ? ', so onAbsent: next has no effect here' : ''}`,
        remedy: `push such images to ${first}, or put them behind a route whose first upstream is another one`,
      });
    if (deletions === 'follow')
      findings.push({
        path: at('deletions'),
        message:
          'a deletion that no hook told of is followed by the second comparison that sees it, and not by the first',
        remedy: 'set replication.hookSecretFile and the webhook, if it must be gone at once',
      });
    for (const [position, entry] of pull.entries())
      if (entry.replicate)
        findings.push({
          path: ['routes', index, 'pull', position, 'replicate'],
          message: `a tag that may be newer on ${entry.upstream} waits for you, by name, and is not replaced`,
          remedy:
            'watch breakwater_replication_waiting; `breakwater accept IMAGE` or `breakwater sync --newer` decides',
        });
    return findings;
  });
}

function peerChanges({ peers }: Config): KeyFinding[] {
  if (peers.length === 0) return [];
  return [
    {
      path: ['peers'],
      message:
        'edges of 0.1 and of this release do not talk to each other, so that they share nothing while you upgrade',
      remedy: 'upgrade all edges of a site soon after each other, and not during an outage',
    },
  ];
}
