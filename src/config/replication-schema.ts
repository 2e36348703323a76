import { z } from 'zod';
import { duration, file, hostAddress } from './text.ts';

export const replicationSchema = z
  .strictObject({
    every: duration('1h', 1000).describe(
      'How often both sides of each route with `replicate: true` are compared, beside what pushes and hooks tell. A tenth earlier or later, so that the edges of a site do not do it at once.',
    ),
    when: z
      .enum(['always', 'vip', 'never'])
      .default('always')
      .describe(
        'Which edges copy. `vip`: the one that holds the address `vip`. Two that copy the same thing at once do no harm, and waste its bytes.',
      ),
    vip: hostAddress
      .optional()
      .describe("For `when: vip`: the address that the pair shares, looked for among this machine's own."),
    hookSecretFile: file
      .optional()
      .describe(
        'Secret that `/hooks/harbor` and `/hooks/distribution` ask for in the Authorization header. At least 16 characters of ASCII. Without it both are 404.',
      ),
    maxBandwidth: z.int().min(0).default(0).describe('Bytes of blobs a second, over all copies. 0: no bound.'),
    images: z
      .int()
      .min(1)
      .max(64)
      .default(4)
      .describe('Images that are copied at once, from each upstream to each other.'),
    blobs: z.int().min(1).max(256).default(8).describe('Blobs that are copied at once, over all images.'),
  })
  .prefault({});
