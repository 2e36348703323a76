import { readManifestContent } from './manifest-content.ts';

/** What refers to a manifest, as lists of it tell (distribution-spec v1.1.1 "Listing Referrers"). */
export interface Referrer {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  artifactType?: string;
  annotations?: Record<string, unknown>;
}

export const REFERRERS_TYPE = 'application/vnd.oci.image.index.v1+json';
const TAG = /^(sha256|sha512)-([0-9a-f]{64}|[0-9a-f]{128})$/;

/** The tag under which registries without lists of their own keep one (distribution-spec "Referrers Tag Schema"). */
export function referrersTag(subject: string): string {
  return subject.replace(':', '-');
}

/** What such a tag is about; undefined: it is another one. */
export function subjectOfTag(tag: string): string | undefined {
  const [, algorithm, hex] = TAG.exec(tag) ?? [];
  return algorithm === undefined ? undefined : `${algorithm}:${hex}`;
}

/**
 * The entry for a manifest in the list of its subject (distribution-spec "Pushing Manifests with Subject").
 * @returns undefined if it is about nothing, or no manifest
 */
export function referrerOf(
  bytes: Buffer,
  mediaType: string | undefined,
  digest: string,
): { subject: string; entry: Referrer } | undefined {
  const content = readManifestContent(bytes, mediaType);
  if ('problem' in content || !content.subject) return undefined;
  const { artifactType, config, annotations } = JSON.parse(bytes.toString()) as Record<string, unknown>;
  const { mediaType: configType } = isObject(config) ? config : {};
  const type = [artifactType, configType].find((one) => typeof one === 'string' && one !== '');
  const entry = {
    mediaType: content.mediaType,
    digest,
    size: bytes.length,
    ...(typeof type === 'string' ? { artifactType: type } : {}),
    ...(isObject(annotations) ? { annotations } : {}),
  };
  return { subject: content.subject.digest, entry };
}

/** A list with one entry more, as it is kept under the tag; undefined: it is listed there already. @throws Error if it is no such list */
export function withReferrer(list: Buffer | undefined, referrer: Referrer): Buffer | undefined {
  const known = list ? entriesOf(list) : [];
  if (known.some((one) => isObject(one) && one.digest === referrer.digest)) return undefined;
  const index = { schemaVersion: 2, mediaType: REFERRERS_TYPE, manifests: [...known, referrer] };
  return Buffer.from(JSON.stringify(index));
}

function entriesOf(list: Buffer): unknown[] {
  const content = readManifestContent(list, REFERRERS_TYPE);
  if ('problem' in content) throw new Error(content.problem);
  const { manifests } = JSON.parse(list.toString()) as Record<string, unknown>;
  if (!Array.isArray(manifests)) throw new Error('it is no index');
  return manifests;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
