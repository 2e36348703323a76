import { z } from 'zod';
import { duration, file, hostName, hostPattern, image } from './text.ts';

const staticCredentials = z.strictObject({
  username: z.string().min(1).describe('User name, sent as it is (`robot$ci`, `_json_key`).'),
  passwordFile: file.describe(
    'File that holds the password; for `_json_key` the whole JSON key file. A trailing line end is dropped.',
  ),
  realmHosts: z
    .array(hostName)
    .default([])
    .describe(
      "Token services on other hosts that may be given these credentials (the upstream's own host always may).",
    ),
});

const credentials = z
  .union([z.enum(['forward', 'none']), staticCredentials])
  .default('none')
  .describe(
    "`forward`: the client's own Authorization goes to this upstream and no other. `none`: requests carry no credentials. Or a static user.",
  );

const probe = z
  .strictObject({
    kind: z
      .enum(['registry', 'harbor'])
      .default('registry')
      .describe('`harbor` also reads component health and `read_only`.'),
    canary: image
      .optional()
      .describe(
        'An image, as the upstream names it (`library/canary:latest`), whose manifest and one byte of whose blob are read at every probe.',
      ),
    credentials: z
      .union([z.literal('none'), staticCredentials])
      .optional()
      .describe("Credentials of the probe. Default: the upstream's own; `forward` has none."),
    interval: duration('2s', 50).describe('Time between probes.'),
    fastInterval: duration('500ms', 20).describe('Time between probes while the state is changing.'),
    timeout: duration('1s', 20).describe('How long one probe may take.'),
    fall: z.int().min(1).max(100).default(3).describe('Failed probes in a row after which the upstream is down.'),
    rise: z.int().min(1).max(100).default(3).describe('Good probes in a row after which it is up again.'),
    holdDown: duration('10s', 0).describe('How long it stays down at the least.'),
    settle: duration('5s', 0).describe(
      'After the push upstream is back: how long neither pushes are admitted nor a fallback answers blob HEADs, so that no client skips uploads on the word of the fallback.',
    ),
  })
  .prefault({});

const deadlines = z
  .strictObject({
    connect: duration('2s').describe('TCP and TLS.'),
    manifest: duration('3s').describe('First byte of a manifest, tag list, catalog or token.'),
    blob: duration('5s').describe('First byte of a blob.'),
    stall: duration('5s').describe('No byte of a body that has begun.'),
    push: duration('10s').describe(
      'First byte of the answer to a push request without a body. Requests with a body: `commit`.',
    ),
    commit: duration('15m').describe(
      'The answer after the last byte of an upload or a manifest was sent; storage may have to copy a large blob.',
    ),
  })
  .prefault({});

const breaker = z
  .strictObject({
    consecutive: z.int().min(1).default(5).describe('Failures in a row that open it.'),
    errorPercent: z
      .int()
      .min(1)
      .max(100)
      .default(50)
      .describe('Or more than this share of the attempts in `window`, …'),
    volume: z.int().min(1).default(20).describe('… once there were this many.'),
    window: duration('10s', 100).describe('The time looked back on.'),
    open: duration('5s', 10).describe('How long it stays open the first time; it doubles each time the trial fails.'),
    openMax: duration('60s', 10).describe('How long at the most; 10 s where a trial was merely late.'),
  })
  .prefault({});

const hedge = z
  .strictObject({
    floor: duration('150ms', 1).describe(
      'An answer is late when it takes longer to begin (with a blob to its first 16 KiB, with all else to its end) than 19 of 20 of this upstream recently did, but never sooner than this.',
    ),
    share: z
      .number()
      .min(0)
      .max(100)
      .default(10)
      .describe('Requests of a hundred that may be asked for a second time because they are late. 0: none.'),
  })
  .prefault({});

export const upstreamSchema = z.strictObject({
  urls: z
    .array(z.url({ protocol: /^https?$/, error: 'an http or https URL' }).meta({ title: 'URL' }))
    .min(1)
    .describe('Where it is. Several are replicas that share one storage; a base path is allowed.'),
  caFile: file.optional().describe("PEM file of the authority that signed its certificate. Default: the system's."),
  credentials,
  probe: probe.describe('How its health is looked at.'),
  replication: z
    .strictObject({
      credentials: z
        .union([z.literal('none'), staticCredentials])
        .optional()
        .describe(
          "The edge's own credentials to copy from here and to here with. Default: the upstream's own, else the probe's; `forward` has none.",
        ),
    })
    .prefault({})
    .describe('How images are copied from here and to here.'),
  redirects: z
    .strictObject({
      mode: z
        .enum(['follow', 'pass'])
        .default('follow')
        .describe('`follow`: the edge fetches what a redirect points to. `pass`: the client is sent there.'),
      hosts: z
        .array(hostPattern)
        .default([])
        .describe(
          "Hosts that a redirect may be followed to, beside the upstream's own; a leading dot takes all below it: `.example.com`.",
        ),
    })
    .prefault({})
    .describe('What to do with redirects of blobs.'),
  deadlines: deadlines.describe('How long each step may take.'),
  breaker: breaker.describe('When to stop asking.'),
  maxInFlight: z
    .strictObject({
      data: z.int().min(1).default(256).describe('Blob transfers at once, per URL.'),
      control: z.int().min(1).default(64).describe('Other requests at once, per URL.'),
      queue: z
        .int()
        .min(0)
        .max(100_000)
        .default(256)
        .describe(
          'Requests of each kind that wait for a place, per URL, where no other upstream has one; further ones get 503.',
        ),
    })
    .prefault({})
    .describe('Bounds on concurrency; beyond them the next upstream is asked.'),
  hedge: hedge.describe('When an answer from here is late, the next upstream is asked beside it.'),
});
