import { z } from 'zod';
import { ownCredentials } from './credentials-schema.ts';
import { choice, duration, file, flag, hostPattern, image, list, realmHost, section, wholeNumber } from './text.ts';

const credentials = z
  .union([z.enum(['forward', 'none']), ...ownCredentials])
  .default('none')
  .describe(
    'Credentials for this upstream. `forward`: the Authorization header of the client, which no other upstream gets. `none`: no credentials. Or those of the edge: a user with a password file, a token file, a credential helper, or a metadata server (docs/upstream-credentials.md).',
  );

const probe = section({
  kind: choice(['registry', 'harbor'], 'registry').describe(
    'The kind of registry. `harbor` also checks the health of components and `read_only`.',
  ),
  canary: image
    .optional()
    .describe(
      'Image that every probe reads, by its name on the upstream, for example `library/canary:latest`. A probe reads its manifest and one byte of a blob. `breakwater canary push` makes such an image.',
    ),
  allowEmpty: flag(false).describe(
    'Whether the registry may be empty. Without a canary, Breakwater refuses pushes to a registry that lists nothing until something was read from it, because its storage may not be mounted. `true`: pushes are admitted, and its 404s are believed.',
  ),
  credentials: z
    .union([z.literal('none'), ...ownCredentials])
    .optional()
    .describe(
      'Credentials of probes. Default: the credentials of the upstream. With `forward`, probes have none by default.',
    ),
  interval: duration('2s', 50).describe('Time between probes.'),
  fastInterval: duration('500ms', 20).describe('Time between probes while the state is changing.'),
  timeout: duration('1s', 20).describe(
    'Time after which a probe without an answer counts as failed. If the answer comes later, the upstream is slow and not down. The next probes may take up to 5 s: twice as long as the last good one, or as 19 of 20 good ones of the last hour.',
  ),
  fall: wholeNumber(3, 1, 100).describe('Consecutive failed probes after which the upstream is down.'),
  rise: wholeNumber(3, 1, 100).describe('Consecutive successful probes after which the upstream is up again.'),
  holdDown: duration('10s', 0).describe('Least time that an upstream stays down.'),
  settle: duration('5s', 0).describe(
    'Time after the push upstream came back in which pushes are refused and no fallback answers blob HEADs. So no client skips an upload because a fallback has the blob.',
  ),
});

const deadlines = section({
  connect: duration('2s').describe('Time to connect, TLS included.'),
  manifest: duration('3s').describe('Time to the first byte of a manifest, tag list, catalog or token.'),
  blob: duration('5s').describe('Time to the first byte of a blob.'),
  last: duration('25s').describe(
    'Time to the first byte where this upstream is the only one left that may have the content: the others do not have it, have failed, or are not in the route. It counts while the canary is good; else the other deadlines count.',
  ),
  stall: duration('5s').describe('Time without a byte in the middle of a body.'),
  push: duration('10s').describe('Time to the first byte of the answer to a push request without a body.'),
  pushStall: duration('15s', 100).describe(
    'Time without progress after which a push under way is given up, if the probes have failed since. After the last byte, `commit` counts, and only an upstream that is down ends the push after this time.',
  ),
  commit: duration('15m').describe(
    'Time to the answer after the last byte of an upload or manifest. Storage may have to copy a large blob.',
  ),
});

const breaker = section({
  consecutive: wholeNumber(5, 1).describe(
    'Consecutive failures that open the breaker. Failures count if the canary fails, or if several clients meet them in at least three repositories.',
  ),
  errorPercent: wholeNumber(50, 1, 100).describe(
    'Share of failed attempts in `window` that opens the breaker, in percent.',
  ),
  volume: wholeNumber(20, 1).describe('Attempts in `window` below which `errorPercent` does not count.'),
  window: duration('10s', 100).describe('Time over which `errorPercent` is measured.'),
  open: duration('5s', 10).describe('How long the breaker first stays open. The time doubles with each failed trial.'),
  openMax: duration('60s', 10).describe('Longest time that the breaker stays open; 10 s if the trial was only late.'),
});

const hedge = section({
  floor: duration('150ms', 1).describe(
    'Least time after which an answer counts as late. Above it, an answer is late if it takes longer than 19 of 20 recent answers of this upstream. For a blob its first 16 KiB count, for other content the whole answer.',
  ),
  share: z.number().min(0).max(100).default(10).describe('Most hedged requests, in percent of all requests. 0: none.'),
});

export const upstreamSchema = z.strictObject({
  urls: z
    .array(z.url({ protocol: /^https?$/, error: 'an http or https URL' }).meta({ title: 'URL' }))
    .min(1)
    .describe(
      'URLs of the registry, for example `https://harbor.lan`. Several URLs are replicas that share one storage. A base path is allowed.',
    ),
  caFile: file
    .optional()
    .describe('PEM file with the certificate authority of this upstream. Default: the authorities of the system.'),
  credentials,
  realmHosts: list(realmHost).describe(
    "Hosts of token services, as `HOST` or `HOST:PORT`, besides the upstream's own. Without this, tokens are asked for only at the upstream's own URLs, at the https default port of their hosts, and at the token services of well-known public registries. This holds for all credentials, also for those of clients and for none. A host that turns out to be on a loopback, link-local or metadata address needs its address here, too.",
  ),
  probe: probe.describe('How the health of the upstream is checked.'),
  replication: section({
    credentials: z
      .union([z.literal('none'), ...ownCredentials])
      .optional()
      .describe(
        'Credentials for copying from and to this upstream. Default: the credentials of the upstream, then those of the probe. With `forward`, copies have none by default. Breakwater also looks with them whether the upstream has lost what was pushed to it.',
      ),
  }).describe('How images are copied from and to this upstream.'),
  redirects: section({
    mode: choice(['follow', 'pass'], 'follow').describe(
      'What to do with a redirect. `follow`: the edge downloads the blob. `pass`: the client follows the redirect.',
    ),
    hosts: list(hostPattern).describe(
      "Hosts that redirects may lead to, as `HOST` or `HOST:PORT`, besides the upstream's own. A leading dot stands for all subdomains: `.example.com`. A host on a loopback, link-local or metadata address needs its address here, too.",
    ),
  }).describe('How redirects of blobs are handled.'),
  deadlines: deadlines.describe('Time limits for each step of a request.'),
  breaker: breaker.describe('When requests to a failing upstream are suspended.'),
  maxInFlight: section({
    data: wholeNumber(256, 1).describe('Concurrent blob transfers per URL.'),
    control: wholeNumber(64, 1).describe('Other concurrent requests per URL.'),
    queue: wholeNumber(256, 0, 100_000).describe(
      'Requests of each kind that may wait per URL, if no other upstream can serve them. Any more get 503.',
    ),
  }).describe(
    'Limits on concurrent requests. Beyond them the next upstream is asked. One client alone takes at most 7 of 8 slots, the next one 7 of 8 of the rest.',
  ),
  hedge: hedge.describe('When an answer of this upstream is late, the next upstream is asked in parallel.'),
});
