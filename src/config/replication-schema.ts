import { z } from 'zod';
import { duration, file, hostAddress } from './text.ts';

export const replicationSchema = z
  .strictObject({
    every: duration('1h', 1000).describe(
      'How often both sides of each copy route are compared completely. Pushes and webhooks start copies at once. The time varies by a tenth, so that edges do not compare at the same moment.',
    ),
    when: z
      .enum(['always', 'vip', 'never'])
      .default('always')
      .describe(
        'Which edges make copies. `vip`: the edge that has the address `vip`. Several edges that copy do no harm, but waste bandwidth.',
      ),
    vip: hostAddress
      .optional()
      .describe(
        'For `when: vip`: the shared address of the pair, for example `10.0.0.10`. The edge copies while the address is on one of its own interfaces.',
      ),
    hookSecretFile: file
      .optional()
      .describe(
        'File with the secret that `/hooks/harbor` and `/hooks/distribution` require in the Authorization header. At least 16 ASCII characters. Omitted: both paths get 404.',
      ),
    maxBandwidth: z.int().min(0).default(0).describe('Bytes of blobs per second over all copies. 0: no limit.'),
    images: z
      .int()
      .min(1)
      .max(64)
      .default(4)
      .describe('Images that are copied concurrently for each pair of upstreams.'),
    blobs: z.int().min(1).max(256).default(8).describe('Blobs that are copied concurrently over all images.'),
  })
  .prefault({});
