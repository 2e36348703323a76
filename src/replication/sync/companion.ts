const COMPANION = /^(sha256|sha512)-([0-9a-f]{64,128})(?:\..+)?$/;

/**
 * Digest that a tag says it is about: cosign's `sha256-….sig`, `.att` and `.sbom`, and the list of referrers of a registry that has none
 * itself (distribution-spec "Referrers Tag Schema"). Undefined: it is a tag like any other.
 */
export function companionOf(tag: string): string | undefined {
  const [, algorithm, hex] = COMPANION.exec(tag) ?? [];
  return algorithm === undefined ? undefined : `${algorithm}:${hex}`;
}
