import { z } from 'zod';
import { acmeSchema } from './acme-schema.ts';
import { authSchema } from './auth-schema.ts';
import { replicationSchema } from './replication-schema.ts';
import {
  address,
  choice,
  duration,
  file,
  fileMode,
  flag,
  hostAddress,
  hostName,
  list,
  listenAddress,
  origin,
  peerUrl,
  prefix,
  proxyNetwork,
  section,
  upstreamName,
  wholeNumber,
} from './text.ts';
import { upstreamSchema } from './upstream-schema.ts';

// Every key has a description: docs/configuration.md and the JSON Schema are generated from this file.

const splice = section({
  enabled: flag(true).describe(
    'Whether a broken blob transfer resumes on the next upstream. Off: the client gets an incomplete blob and has to retry.',
  ),
  minRate: wholeNumber(16_384, 0).describe(
    'Bytes per second below which an upstream counts as stalled while another upstream can take over. Below a sixteenth of it, `deadlines.stall` is enough. 0: never.',
  ),
  window: duration('30s', 100).describe(
    'Time over which `minRate` is measured. Only time in which the client waited counts.',
  ),
});

const route = z.strictObject({
  prefix: prefix.describe(
    'Repositories that begin with this prefix take the route, for example `library/`. The longest prefix wins; the empty prefix takes everything.',
  ),
  registry: hostName
    .optional()
    .describe(
      'The registry that these repositories belong to, for example `docker.io`. containerd names it in `?ns=`; clients may also use it as the hostname of the edge.',
    ),
  push: upstreamName.optional().describe('The only upstream that pushes go to. Omitted: the route is read-only.'),
  pull: z
    .array(
      z.strictObject({
        upstream: upstreamName.describe('Name of the upstream.'),
        prefix: prefix
          .optional()
          .describe(
            'Replaces the prefix of the route on this upstream, for example `example-project/`. Default: the same prefix.',
          ),
        replicate: flag(false).describe('Copies everything from the push upstream to this upstream.'),
      }),
    )
    .min(1)
    .describe('Upstreams in order of preference. The first one is asked first.'),
  deletions: choice(['keep', 'follow'], 'keep').describe(
    'Whether deletions on the push upstream are repeated on upstreams with `replicate: true`. `keep`: the copies stay. `follow`: the copies are deleted too, at the second comparison that finds a tag deleted, or at once if a hook reports it.',
  ),
  anonymous: flag(false).describe('The networks of `auth.anonymous` may pull here without credentials.'),
  onAbsent: choice(['stop', 'next'], 'stop').describe(
    'What follows when a healthy upstream answers 404. `stop`: the client gets the 404. `next`: the next upstream is asked. In `auth.mode: open`, the client always gets the 404 of a first upstream with `credentials: forward`. That upstream may be hiding the image from this client.',
  ),
  staleTags: choice(['refuse', 'warn', 'serve'], 'warn').describe(
    'What to do when a fallback has an outdated tag and no upstream has the current image. `refuse`: answer 503. `warn`: serve the old image with a `Warning` header and a log line. `serve`: serve it without a check.',
  ),
});

const certificate = z.strictObject({
  certFile: file.describe('PEM file with the certificate and its chain.'),
  keyFile: file.describe('PEM file with the private key.'),
});

/** The whole configuration: types, defaults, docs and JSON Schema come from here. Times are in milliseconds after parsing. */
export const configSchema = z.strictObject({
  hostname: hostName.describe('The hostname that clients use, for example `cr.example.io`.'),
  aliases: list(hostName).describe(
    'Further names and addresses of the edge. A request for any other Host is refused, except for the `registry` of a route.',
  ),
  cors: z
    .strictObject({
      origins: z
        .array(origin)
        .min(1)
        .describe(
          'Origins of these pages, for example `https://ui.example.io`. `*`: every page, which then reads through the browser of a visitor what the visitor may pull without a login.',
        ),
    })
    .optional()
    .describe(
      'Web pages of other hosts that may use the registry API, such as a registry browser. Cookies are never allowed. Omitted: none, and OPTIONS goes to the upstream.',
    ),
  hosts: section({
    nsFallback: flag(false).describe(
      'What `?ns=` means if it names no `registry` of a route. `false`: 404, so that nobody gets an image of one registry for that of another. `true`: the routes of the hostname answer, as if there were no `?ns=`. Mirrors of containerd with `override_path` need it.',
    ),
  }).describe('Which routes answer a request.'),
  listen: section({
    https: listenAddress
      .default('0.0.0.0:443')
      .describe('Address for clients: HTTP/1.1 and HTTP/2 over TLS. Or `unix:/PATH`.'),
    plain: listenAddress
      .optional()
      .describe(
        'Address for clients over plain HTTP/1.1, with the same limits as `https`: for local clients, such as `127.0.0.1:5000` for the containerd of this machine, or for a load balancer or an Ingress that ends TLS. Or `unix:/PATH`. Omitted: off.',
      ),
    plainClients: choice(['trusted', 'all'], 'trusted').describe(
      'Whom `plain` serves. `trusted`: programs of this machine, and the load balancers of `trustedProxies`. `all`: everybody, whose passwords and tokens then cross the network in the clear. A reload applies a change.',
    ),
    http: address.optional().describe('Address for plain HTTP, which only redirects to https. Omitted: off.'),
    proxyProtocol: flag(false).describe(
      'Whether load balancers in `trustedProxies` send a PROXY header (version 1 or 2) on `https` and on `plain`. They must then send one, and every other client must not. On `http` the header is optional.',
    ),
    admin: listenAddress
      .default('127.0.0.1:9443')
      .describe(
        'The admin listener: status page, metrics, health checks. Plain HTTP. Or `unix:/PATH`. On an address that other machines can reach, set `adminTokenFile`; without it only `/healthz`, `/readyz` and `/vipz` are answered there.',
      ),
    socketMode: fileMode
      .default('0660')
      .describe(
        'Who may connect to unix sockets of `https`, `plain` and `admin`, as a file mode. Their folder must exist.',
      ),
    adminHosts: list(hostName).describe(
      'Further host names and addresses of the admin listener, without a port, such as `edge-a.lan`. It knows `localhost`, loopback addresses and its own address by itself. Requests for any other host get 421, so that no web page can read the status through a name of its own (DNS rebinding). `/healthz`, `/readyz` and `/vipz` are answered for every host. A reload applies a change.',
    ),
  }).describe('Where the edge listens. A change of an address needs a restart.'),
  tls: z
    .union([
      certificate,
      z.array(certificate).min(1),
      z.strictObject({
        acme: acmeSchema.describe('A certificate that the edge orders and renews itself. A change needs a restart.'),
      }),
    ])
    .describe(
      'One certificate, or a list of certificates that are chosen by their names (SNI). The first one is the default. Or `acme`: the edge orders its certificate.',
    ),
  keyFile: file
    .optional()
    .describe(
      'File with the secret that the edges of a pair share. It seals upload locations and tokens. At least 32 bytes. To replace it, write the new secret in the first line and keep the old one in the second. Omitted: a new secret at each start, with a warning.',
    ),
  peers: z
    .array(peerUrl)
    .max(64)
    .default([])
    .describe(
      'The other edges of this site, for example `https://10.0.0.12`. Use their own addresses, not the VIP. Edges tell each other about users, tags and pulls within a second, and about a push or a delete before its reply. The list may be the same on every edge. Needs `keyFile`.',
    ),
  vip: section({
    deferAfter: duration('5s', 0).describe(
      'For how long another edge must have reached more upstreams than this one, and all that this one reaches, before `/vipz` fails here.',
    ),
    holdDown: duration('30s', 0).describe(
      'For how long `/vipz` goes on failing when this edge reaches as much as the other one again, and the least time between two moves. If the other edge is gone, or reaches less, `/vipz` succeeds at once.',
    ),
  }).describe(
    'When a node leaves the VIP to another one of `peers`. See [the VIP](operations.md#which-node-holds-the-vip).',
  ),
  auth: authSchema.describe('Who may pull and push.'),
  trustedProxies: list(proxyNetwork).describe(
    'Addresses of load balancers before the edge, for example `10.0.0.5`; `unix:` for those that come over a unix socket. Only they may name the client, by `X-Forwarded-For` or a PROXY header (`listen.proxyProtocol`), and on `listen.plain` the scheme, by `X-Forwarded-Proto`. No client may have one of these addresses.',
  ),
  upstreams: z
    .record(upstreamName, upstreamSchema)
    .describe('The registries behind the edge, each under a name of your choice, for example `harbor`.'),
  routes: z.array(route).min(1).describe('Which repositories are on which upstreams.'),
  replication: replicationSchema.describe(
    'How upstreams with `replicate: true` are kept in step with the push upstream.',
  ),
  splice: splice.describe('How a blob transfer resumes on the next upstream when its upstream fails.'),
  passthrough: upstreamName
    .optional()
    .describe(
      'Upstream for every path outside the registry API, such as the UI and API of Harbor. Omitted: such paths get 404.',
    ),
  adminTokenFile: file
    .optional()
    .describe(
      'File with the token of the admin listener: one line of at least 16 characters, the same on all edges of a site. With it everything but `/healthz`, `/readyz` and `/vipz` needs the token. Programs send `Authorization: Bearer TOKEN`; browsers get a login form.',
    ),
  metricsTokenFile: file
    .optional()
    .describe(
      'File with a second token, for Prometheus: it opens `/metrics` and nothing else. Its form is that of `adminTokenFile`; its content must be different.',
    ),
  drain: section({
    announce: duration('5s', 0).describe(
      'Time in which `/readyz` and `/vipz` fail before the listener closes. A VIP or a load balancer moves away in this time.',
    ),
    timeout: duration('5m', 0).describe(
      'Time that running transfers have to finish. What has not finished then is cut, and its client notices at once.',
    ),
    vip: list(hostAddress).describe(
      'Addresses that keepalived, or another program, moves between the edges of a site. If this machine has one of them at SIGTERM, the edge keeps it until everything that is under way has ended, at most for `timeout`: no packet of a transfer reaches its client once the address has moved. Only then `/vipz` and `/readyz` fail.',
    ),
    leaveFile: file
      .optional()
      .describe(
        'File for `track_file` of keepalived. The edge writes 0 when it starts to serve, and 1 when this node must give up the VIP. keepalived then moves it within milliseconds, and not only at its next check of `/vipz`. The folder must exist before keepalived starts, and must stay when the edge stops.',
      ),
    loadBalancer: choice(['keeps', 'cuts'], 'keeps').describe(
      'What a load balancer does with running connections once `/readyz` fails. `keeps`: it only sends new ones elsewhere, as Kubernetes and HAProxy do by default, so `/readyz` fails first. `cuts`: it cuts them, so `/readyz` fails only when everything that is under way has ended, or after `timeout`.',
    ),
  }).describe('How the edge stops.'),
  limits: section({
    connections: wholeNumber(10_000, 1).describe(
      'Concurrent connections of clients, for each of `listen.https` and `listen.plain`.',
    ),
    headerBytes: wholeNumber(32_768, 4096, 1_048_576).describe(
      'Bytes of the request line and all headers. Over HTTP/2, each header counts 32 bytes more (RFC 9113 section 6.5.2).',
    ),
    manifestBytes: wholeNumber(4_194_304, 1024, 67_108_864).describe('Bytes of one manifest, pulled or pushed.'),
    clientIdle: duration('60s', 100).describe(
      'Time after which a client is disconnected that neither sends nor reads a byte.',
    ),
    keepAlive: duration('75s', 1000).describe(
      'How long a connection is kept after a request, for the next one. It must be longer than a load balancer in front keeps its idle connections. Otherwise the balancer may send a request on a connection that is being closed, and answer it with 502.',
    ),
  }).describe('Limits for clients.'),
  verify: choice(['first', 'always', 'never'], 'first').describe(
    'Which blobs are hashed during the transfer, for 0.5 to 0.8 seconds of one core per GB. A blob with a wrong digest never ends as a complete response, and its upstream is skipped for that blob until the digest is right. `first`: the first complete transfer of a blob from each upstream, once a day. `always`: every complete transfer. `never`: none; clients still verify what they pull. Partial transfers are left to the client.',
  ),
  verifyAgain: duration('10m', 100).describe(
    'How often a corrupt copy is read again, to see whether it was repaired. Upstreams with `credentials: forward` are not read.',
  ),
  ledger: section({
    tags: wholeNumber(50_000, 1, 1_000_000).describe(
      'Most tags that are remembered. Beyond it, the tags that were not seen for the longest time are forgotten.',
    ),
    keep: duration('7d', 1000).describe('How long a tag is remembered after it was last seen.'),
  }).describe(
    'What the edge remembers of tags, so that no fallback takes a tag back in time. In memory only. A change needs a restart.',
  ),
  manifests: section({
    memory: wholeNumber(33_554_432, 0, 1_073_741_824).describe('Bytes of manifests that are kept in memory. 0: none.'),
    keep: duration('10m', 0).describe(
      'How long a manifest is kept. At most a minute for upstreams with `credentials: forward`. 0s: not at all.',
    ),
    tagFreshness: duration('0s', 0).describe(
      'How long the answer for a tag is reused without asking an upstream. 0s: only concurrent requests share an answer.',
    ),
  }).describe('Manifests in memory, which answer requests by digest. A change of `memory` or `keep` needs a restart.'),
  log: section({
    level: choice(['debug', 'info', 'warn', 'error'], 'info').describe(
      'Least severity that is logged. Lines of the audit are always logged. A change needs a restart.',
    ),
    requests: choice(['all', 'notable'], 'all').describe(
      'Which requests are logged. `notable`: failed requests, requests that the first upstream did not answer, pushes, deletions, and requests with a doubtful blob or tag.',
    ),
  }).describe('Logs: JSON lines on standard output, readable text on a terminal.'),
});

/** A parsed configuration. File names are as written; `Loaded.material` holds what they contain. */
export type Config = z.output<typeof configSchema>;
export type UpstreamConfig = Config['upstreams'][string];
export type RouteConfig = Config['routes'][number];
export type ProbeConfig = UpstreamConfig['probe'];
export type BreakerConfig = UpstreamConfig['breaker'];
export type CredentialsConfig = UpstreamConfig['credentials'];
