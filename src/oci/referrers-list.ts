import { isObject, readManifestContent } from './manifest-content.ts';

/** An entry in a list of referrers (distribution-spec v1.1.1 "Listing Referrers"). */
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

/** The tag with the list of referrers in registries without a referrers API (distribution-spec "Referrers Tag Schema"). */
export function referrersTag(subject: string): string {
  return subject.replace(':', '-');
}

/** The subject of a referrers tag; undefined: an ordinary tag. */
export function subjectOfTag(tag: string): string | undefined {
  const [, algorithm, hex] = TAG.exec(tag) ?? [];
  return algorithm === undefined ? undefined : `${algorithm}:${hex}`;
}

/**
 * The entry of a manifest in the list of its subject (distribution-spec "Pushing Manifests with Subject").
 * @returns undefined: this is no manifest, or it has no subject
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

/** Adds an entry to the list under a referrers tag; undefined: the list has it already. @throws Error for a malformed list */
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
