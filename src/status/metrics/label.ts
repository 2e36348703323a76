/** Stands where a label has nothing to say; no prefix and no upstream can be named so. */
export const NONE = '-';

/** Prometheus takes an empty label for none at all, so the route of everything is a star. */
export function routeLabel(prefix: string | undefined): string {
  if (prefix === undefined) return NONE;
  return prefix === '' ? '*' : prefix;
}
