import { MANIFEST_TYPES } from './manifest-content.ts';

/** The Accept of a read that wants a tag as it is: registries convert what a client does not name. */
export const EVERY_MANIFEST = MANIFEST_TYPES.join(', ');

/**
 * The types that a client must name to get each tag as it is. docker-registry 2.8 answers other requests with a child of the index, with a
 * conversion to schema 1, or with 404. A wildcard does not help: it counts as no type there.
 */
const NEEDED = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
];
const INDEX_TYPES = new Set([
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.index.v1+json',
]);
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)$/;
/** Types that say nothing about the content. */
const GENERIC = /^$|^(application|binary)\/octet-stream$|^text\/plain$|^application\/([\w.-]+\+)?json$/;

/** The media type of a Content-Type header, without its parameters. */
export function mediaTypeOf(contentType: string | undefined): string {
  return contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
}

/** `no`: content of this type is no manifest. `perhaps`: the type is generic, so that only the content tells. */
export function isManifestType(contentType: string | undefined): 'yes' | 'perhaps' | 'no' {
  const type = mediaTypeOf(contentType);
  if (MANIFEST_TYPES.includes(type) || SCHEMA_1.test(type)) return 'yes';
  return GENERIC.test(type) ? 'perhaps' : 'no';
}

export function isIndexType(contentType: string | undefined): boolean {
  return INDEX_TYPES.has(mediaTypeOf(contentType));
}

/** Whether the content is a manifest that a registry converted to schema 1. */
export function isSchema1Type(contentType: string | undefined): boolean {
  return SCHEMA_1.test(mediaTypeOf(contentType));
}

/** Whether a client with this Accept header gets every tag as it is. */
export function acceptsEveryManifest(accept: string | undefined): boolean {
  const named = typesIn(accept);
  return NEEDED.every((type) => named.has(type));
}

/** Whether a client with this Accept header takes content of this type (RFC 9110 section 12.5.1). */
export function accepts(accept: string | undefined, contentType: string | undefined): boolean {
  const named = typesIn(accept);
  const type = mediaTypeOf(contentType);
  return accept === undefined || [type, type.replace(/\/.*/, '/*'), '*/*'].some((one) => named.has(one));
}

/** The media ranges of an Accept header that are not excluded by `q=0`. */
function typesIn(accept = ''): Set<string> {
  const ranges = accept.split(',').map((range) => range.split(';').map((part) => part.trim().toLowerCase()));
  return new Set(
    ranges.filter(([, ...rest]) => !rest.some((one) => /^q\s*=\s*0(\.0*)?$/.test(one))).map(([type = '']) => type),
  );
}
