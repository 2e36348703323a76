import { contentProblem } from './answer-content.ts';
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

/** Adds entries to the list under a referrers tag; undefined: the list has them already. @throws Error for a malformed list */
export function withReferrers(list: Buffer | undefined, referrers: readonly Referrer[]): Buffer | undefined {
  const known = list ? entriesOf(list) : [];
  const missing = referrers.filter(({ digest }) => !known.some((one) => isObject(one) && one.digest === digest));
  return missing.length > 0 ? indexOf([...known, ...missing]) : undefined;
}

/** Takes an entry out of the list; undefined: it is not there. @throws Error for a malformed list */
export function withoutReferrer(list: Buffer, digest: string): Buffer | undefined {
  const known = entriesOf(list);
  const left = known.filter((one) => !isObject(one) || one.digest !== digest);
  return left.length < known.length ? indexOf(left) : undefined;
}

/** The entries of the list under a referrers tag; undefined: this is no such list. */
export function listedReferrers(list: Buffer): Referrer[] | undefined {
  try {
    return entriesOf(list) as Referrer[];
  } catch {
    return undefined;
  }
}

function indexOf(manifests: readonly unknown[]): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: REFERRERS_TYPE, manifests }));
}

function entriesOf(list: Buffer): unknown[] {
  const content = readManifestContent(list, REFERRERS_TYPE);
  if ('problem' in content) throw new Error(content.problem);
  const { manifests } = JSON.parse(list.toString()) as Record<string, unknown>;
  if (!Array.isArray(manifests)) throw new Error('it is no index');
  return manifests;
}

/** Whether a registry has the referrers API. */
export type ReferrersSupport = 'has' | 'lacks' | 'unknown';

/** Statuses of a registry that has no such endpoint, about content that is there. */
export const REFERRERS_UNSUPPORTED = [400, 404, 405, 501];

/** What an answer about the referrers of content that is there says about the registry. */
export function supportShown(status: number, body: Buffer): ReferrersSupport {
  if (REFERRERS_UNSUPPORTED.includes(status)) return 'lacks';
  return status === 200 && contentProblem('referrers', body) === undefined ? 'has' : 'unknown';
}

/** One page of a list of referrers. */
export interface ReferrersPage {
  body: Buffer;
  /** Query of the next page. Undefined: this is the last one. */
  next: URLSearchParams | undefined;
  /** Whether `artifactType` was applied. */
  filtered: boolean;
}

/** Entries of a page, unless the client wants fewer. */
const PAGE_SIZE = 1000;

/**
 * The page of a list that a request asks for (distribution-spec "Listing Referrers"). `last` is the digest of the entry before the page. If
 * it is not in the list, the page is the first one, so that no entry is lost.
 * @param index the manifest under the referrers tag; undefined: there is none. @returns undefined: this is no such list
 */
export function referrersPage(index: Buffer | undefined, query: URLSearchParams): ReferrersPage | undefined {
  const all = index ? listedIn(index) : [];
  if (!all) return undefined;
  const types = query.getAll('artifactType');
  const wanted = all.filter(({ artifactType }) => types.length === 0 || types.some((type) => type === artifactType));
  const last = query.get('last');
  const rest = wanted.slice(wanted.findIndex(({ digest }) => digest === last) + 1);
  const n = Number(query.get('n') ?? PAGE_SIZE);
  const page = rest.slice(0, Number.isInteger(n) && n > 0 ? Math.min(n, PAGE_SIZE) : PAGE_SIZE);
  const next = new URLSearchParams(query);
  next.set('last', String(page.at(-1)?.digest));
  return {
    body: indexOf(page),
    next: page.length < rest.length ? next : undefined,
    filtered: types.length > 0,
  };
}

/** The entries, also where some have mistakes that a client may not mind. */
function listedIn(index: Buffer): Record<string, unknown>[] | undefined {
  if (contentProblem('referrers', index) !== undefined) return undefined;
  const { manifests } = JSON.parse(index.toString()) as { manifests: unknown[] | null };
  return (manifests ?? []).filter(isObject);
}
