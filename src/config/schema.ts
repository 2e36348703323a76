import { z } from 'zod';
import { authSchema } from './auth-schema.ts';
import { replicationSchema } from './replication-schema.ts';
import { address, duration, file, hostName, network, peerUrl, prefix, upstreamName } from './text.ts';
import { upstreamSchema } from './upstream-schema.ts';

// Every key has a description: docs/configuration.md and the JSON Schema are generated from this file.

const splice = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Off: a blob that breaks off in the middle ends short.'),
    minRate: z
      .int()
      .min(0)
      .default(16_384)
      .describe(
        'Bytes a second below which an upstream counts as stalled while another one is there; below a sixteenth of it already after `deadlines.stall`. 0: never.',
      ),
    window: duration('30s', 100).describe('Time over which that rate is measured; only time the client waited counts.'),
  })
  .prefault({});

const route = z.strictObject({
  prefix: prefix.describe(
    'Repositories that begin with this take the route; the longest prefix wins, "" is everything.',
  ),
  registry: hostName
    .optional()
    .describe(
      'The registry these repositories belong to, as containerd names it in `?ns=` or as a further hostname of the edge (`docker.io`).',
    ),
  push: upstreamName.optional().describe('The only upstream that is ever written to. Omitted: the route is read-only.'),
  pull: z
    .array(
      z.strictObject({
        upstream: upstreamName.describe('Name of the upstream.'),
        prefix: prefix.optional().describe("What stands there in place of the route's prefix. Default: the same."),
        replicate: z.boolean().default(false).describe('Keep it in step with the push upstream.'),
      }),
    )
    .min(1)
    .describe('Upstreams in order of preference.'),
  deletions: z
    .enum(['keep', 'follow'])
    .default('keep')
    .describe(
      'What becomes of the copies of what is deleted on the push upstream, where an upstream of this route has `replicate: true`. `keep`: they stay. `follow`: they are deleted too.',
    ),
  anonymous: z.boolean().default(false).describe('Networks of `auth.anonymous` may pull here without credentials.'),
  onAbsent: z
    .enum(['stop', 'next'])
    .default('stop')
    .describe("Whether a healthy upstream's 404 is the answer, or the next one is asked."),
  staleTags: z
    .enum(['refuse', 'warn', 'serve'])
    .default('warn')
    .describe(
      'What to do with a tag of a fallback when the ledger knows that the push upstream has moved or deleted it, and what it moved to is not to be had. `refuse`: 503. `warn`: served with a `Warning` header and a line in the log. `serve`: the ledger is not asked.',
    ),
});

const certificate = z.strictObject({
  certFile: file.describe('PEM file: certificate and chain.'),
  keyFile: file.describe('PEM file: private key.'),
});

/** The whole configuration: types, defaults, docs and JSON Schema come from here. Times are in milliseconds after parsing. */
export const configSchema = z.strictObject({
  hostname: hostName.describe('The one name that clients use.'),
  aliases: z
    .array(hostName)
    .default([])
    .describe(
      "Further names and addresses of the edge itself. A Host that is neither this, nor `hostname`, nor a route's `registry` is refused.",
    ),
  listen: z
    .strictObject({
      https: address.default('0.0.0.0:443').describe('Clients: HTTP/1.1 and HTTP/2.'),
      http: address
        .optional()
        .describe('Plain HTTP that answers every request with a redirect to https. Off if omitted.'),
      proxyProtocol: z
        .boolean()
        .default(false)
        .describe(
          'Every connection of `trustedProxies` to `https` begins with a PROXY header (version 1 or 2), and comes from whom that names; one without is refused, and so is a header of anybody else. `http` takes such a header too, and needs none.',
        ),
      admin: address
        .default('127.0.0.1:9443')
        .describe(
          'The admin listener: status page, metrics, health checks. Plain HTTP. On an address that other machines can reach, set `adminTokenFile`; without it only `/healthz` and `/readyz` are answered there.',
        ),
      adminHosts: z
        .array(hostName)
        .default([])
        .describe(
          'Further host names and addresses of the admin listener, without a port, such as `edge-a.lan`. It knows `localhost`, loopback addresses and its own address by itself. Requests for any other host get 421, so that no web page can read the status through a name of its own (DNS rebinding). `/healthz` and `/readyz` are answered for every host. A reload takes a change.',
        ),
    })
    .prefault({})
    .describe('Where the edge listens. A change of an address needs a restart.'),
  tls: z
    .union([certificate, z.array(certificate).min(1)])
    .describe('One certificate, or several, chosen by the names they carry (SNI); the first is the default.'),
  keyFile: file
    .optional()
    .describe(
      'Secret shared by a pair: seals Locations and tokens. At least 32 bytes; several, one a line, while it is replaced: the first is used, all are accepted. Made anew at each start, loudly, if omitted.',
    ),
  peers: z
    .array(peerUrl)
    .max(64)
    .default([])
    .describe(
      'The other edges of this site, each by an address of its own, not by the VIP: what one learns of users and tags the others know a second later. All of them may have the same list; a name with several addresses stands for as many. Needs `keyFile`.',
    ),
  auth: authSchema.describe('Who may do what.'),
  trustedProxies: z
    .array(network)
    .default([])
    .describe(
      'Load balancers before the edge: the client is who their `X-Forwarded-For` names, or their PROXY header (`listen.proxyProtocol`). From anybody else neither counts. No clients may be among these addresses.',
    ),
  upstreams: z.record(upstreamName, upstreamSchema).describe('The registries behind the edge, by a name of your own.'),
  routes: z.array(route).min(1).describe('Which repositories are where.'),
  replication: replicationSchema.describe(
    'How upstreams with `replicate: true` are kept in step with the push upstream.',
  ),
  splice: splice.describe('Blobs whose upstream fails in the middle go on from the next one.'),
  passthrough: upstreamName
    .optional()
    .describe("Upstream that gets every path outside the registry API (Harbor's UI and API). Omitted: those are 404."),
  adminTokenFile: file
    .optional()
    .describe(
      'File with the token of the admin listener: one line of at least 16 characters, the same on all edges of a site. With it everything but `/healthz` and `/readyz` needs the token. Programs send `Authorization: Bearer TOKEN`; browsers get a login form.',
    ),
  metricsTokenFile: file
    .optional()
    .describe(
      'File with a second token, for Prometheus: it opens `/metrics` and nothing else. Its form is that of `adminTokenFile`; its content must be different.',
    ),
  drain: z
    .strictObject({
      announce: duration('5s', 0).describe(
        'After SIGTERM: how long `/readyz` fails before the listener closes, so that a VIP or a load balancer moves first.',
      ),
      timeout: duration('5m', 0).describe('How long transfers under way may take to finish.'),
    })
    .prefault({})
    .describe('How the edge stops.'),
  limits: z
    .strictObject({
      connections: z.int().min(1).default(10_000).describe('Client connections at once.'),
      headerBytes: z.int().min(4096).max(1_048_576).default(32_768).describe('Request line and headers together.'),
      manifestBytes: z.int().min(1024).max(67_108_864).default(4_194_304).describe('A manifest, either way.'),
      clientIdle: duration('60s', 100).describe('A client that neither sends nor takes a byte for so long is cut.'),
    })
    .prefault({})
    .describe('Bounds on what a client may cost.'),
  verify: z
    .enum(['first', 'always', 'never'])
    .default('first')
    .describe(
      'Which blobs the edge hashes while it passes them on, in a thread of its own (0.5 to 0.8 seconds of one core a GB). A blob whose digest is wrong never ends as a complete response, and that copy of it serves again only when it has the right one. `first`: the first whole transfer of each blob from each upstream, once a day, so that a herd pays once. `always`: every whole transfer. `never`: off; clients still check what they pull. Transfers of a part are left to the client.',
    ),
  verifyAgain: duration('10m', 100).describe(
    'How often the edge itself reads a copy that was found rotten again, to see whether it was mended. Not where the upstream gets the clients’ credentials only.',
  ),
  ledger: z
    .strictObject({
      tags: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(50_000)
        .describe('Tags that are remembered; beyond them those that were seen least recently are forgotten.'),
      keep: duration('7d', 1000).describe('How long a tag is remembered after it was last seen.'),
    })
    .prefault({})
    .describe(
      'What the edge remembers of tags, so that no fallback takes one back in time. In memory only. A change needs a restart.',
    ),
  manifests: z
    .strictObject({
      memory: z
        .int()
        .min(0)
        .max(1_073_741_824)
        .default(33_554_432)
        .describe('Bytes of manifests that are kept in memory by their digest. 0: none.'),
      keep: duration('10m', 0).describe(
        "How long one is kept; at most a minute where the upstream decides by the client's own credentials. 0: not at all.",
      ),
      tagFreshness: duration('0s', 0).describe(
        'How long the answer to a request by tag is given again without asking any upstream. 0: each request is asked, but for those that are being asked at the same moment.',
      ),
    })
    .prefault({})
    .describe(
      'Manifests that were read and proven answer the next request by digest. A change of `memory` or `keep` needs a restart.',
    ),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severity that is written.'),
      requests: z
        .enum(['all', 'notable'])
        .default('all')
        .describe(
          'Which requests get a line. `notable`: those that failed, that the upstream asked first did not answer, or whose blob or tag was in doubt.',
        ),
    })
    .prefault({})
    .describe('Logs: JSON lines on standard output, pretty on a terminal.'),
});

/** A parsed configuration. File names are as written; `Loaded.material` holds what they contain. */
export type Config = z.output<typeof configSchema>;
export type UpstreamConfig = Config['upstreams'][string];
export type RouteConfig = Config['routes'][number];
export type ProbeConfig = UpstreamConfig['probe'];
export type BreakerConfig = UpstreamConfig['breaker'];
export type CredentialsConfig = UpstreamConfig['credentials'];
