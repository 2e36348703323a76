import { z } from 'zod';
import { isDigest } from '../../oci/reference.ts';
import { parseJson } from '../body/read-body.ts';

/** The parts of a manifest that a probe needs: the first child, or else a blob that has bytes. */
export interface ManifestContent {
  child: string | undefined;
  /** `size` in bytes, if known. */
  blob: { digest: string; size?: number | undefined } | undefined;
  /** The configuration of an image, if it has bytes. It belongs to this image, while other blobs may be shared with older ones. */
  config: { digest: string; size?: number | undefined } | undefined;
}

// Malformed parts are ignored.
const descriptor = z
  .object({ digest: z.string().refine(isDigest), size: z.int().nonnegative().optional().catch(undefined) })
  .optional()
  .catch(undefined);
const descriptors = z.array(descriptor).catch([]);
const manifestSchema = z.object({ layers: descriptors, manifests: descriptors, config: descriptor });

/** Reads an image manifest or an index. */
export function readProbedManifest(body: Buffer): ManifestContent {
  const { layers = [], manifests = [], config } = manifestSchema.safeParse(parseJson(body)).data ?? {};
  return {
    child: manifests.find((one) => one !== undefined)?.digest,
    // An empty blob has no byte to read.
    blob: [...layers, config].find((one) => one !== undefined && one.size !== 0),
    config: config?.size === 0 ? undefined : config,
  };
}
