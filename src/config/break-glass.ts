/** How names of break-glass users end. */
export const BREAK_GLASS = '@break-glass';

/**
 * Whether a name is none of the authority's, in whatever case: by the name alone it is known whom a password must not be shown to, so
 * that neither a break-glass password is sent to the authority nor a user of the same name there is kept out.
 */
export function isBreakGlassName(user: string): boolean {
  return user.toLowerCase().endsWith(BREAK_GLASS);
}
