/** Users of a password file: name -> bcrypt hash. */
export type PasswordHashes = ReadonlyMap<string, string>;

const USER = /^[A-Za-z0-9][A-Za-z0-9._@$+-]{0,254}$/;
/** The forms that bcrypt implementations write; cost 4 to 31. */
const BCRYPT = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

export function isUserName(text: string): boolean {
  return USER.test(text);
}

/**
 * Parses an htpasswd file as `htpasswd -B` and `breakwater user add` write it: `name:hash` lines, comments begin with `#`.
 * @returns the lines that cannot be used as `errors`; never a hash
 */
export function parseHtpasswd(text: string): { users: PasswordHashes; errors: string[] } {
  const users = new Map<string, string>();
  const errors: string[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [user = '', hash = ''] = line.split(':');
    if (!isUserName(user)) errors.push(`line ${index + 1}: invalid user name`);
    else if (users.has(user)) errors.push(`line ${index + 1}: ${user} is listed twice`);
    else if (!BCRYPT.test(hash)) errors.push(`line ${index + 1}: the password of ${user} is not hashed with bcrypt`);
    else users.set(user, hash);
  }
  return { users, errors };
}

/** Suffix of break-glass user names. */
export const BREAK_GLASS = '@break-glass';

/**
 * Whether a user is a break-glass user, in any case. The name alone tells, so a break-glass password is never sent to the authority, and no
 * user there is shut out by an equal name.
 */
export function isBreakGlassName(user: string): boolean {
  return user.toLowerCase().endsWith(BREAK_GLASS);
}
