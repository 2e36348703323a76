import { choice, duration, file, hostAddress, section, wholeNumber } from './text.ts';

export const replicationSchema = section({
  every: duration('1h', 1000).describe(
    'How often both sides of each copy route are compared completely. Pushes and webhooks start copies at once. The time varies by a tenth, so that edges do not compare at the same moment.',
  ),
  watch: duration('2m', 1000).describe(
    'How often repositories are looked at between two comparisons: the tags that each side lists, and those that clients pulled at the push upstream. Repositories that were pulled or pushed lately come first, the others in turn. At most 5 requests a second go to each upstream.',
  ),
  when: choice(['always', 'vip', 'never'], 'always').describe(
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
  maxBandwidth: wholeNumber(0, 0).describe('Bytes of blobs per second over all copies. 0: no limit.'),
  images: wholeNumber(4, 1, 64).describe(
    'Images that are copied concurrently for each pair of upstreams. Others start beside copies that take longer than a quarter of a second: pushes up to 16 times as many, what comparisons found up to twice.',
  ),
  blobs: wholeNumber(8, 1, 256).describe(
    'Blobs that are copied concurrently over all images. The image whose blobs have taken the least time so far is next. An image whose blobs would all wait for long transfers starts one beside them.',
  ),
});
