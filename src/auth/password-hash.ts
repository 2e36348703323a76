import bcrypt from 'bcrypt';

const COST = 12;
/** bcrypt reads no further; what follows would be no part of the password. */
export const MAX_PASSWORD_BYTES = 72;

/** The bcrypt hash of a new password. @throws RangeError for one that is empty or longer than bcrypt reads */
export async function hashPassword(password: string): Promise<string> {
  const bytes = Buffer.byteLength(password);
  if (bytes === 0) throw new RangeError('a password cannot be empty');
  if (bytes > MAX_PASSWORD_BYTES) throw new RangeError(`a password has at most ${MAX_PASSWORD_BYTES} bytes`);
  if (/[\x00-\x1f\x7f]/.test(password)) throw new RangeError('a password has no control characters');
  return bcrypt.hash(password, COST);
}
