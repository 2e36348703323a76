import { MaterialReader, readBounded, unreadable } from '../../config/material-reader.ts';
import { UsageError } from '../config-path.ts';

const MAX_BYTES = 65_536;

/** Reads a password, without its line end. Messages never have the name, which may be the password itself. @throws UsageError */
export async function readPasswordFile(name: string, flag: string): Promise<string> {
  let content: Buffer | undefined;
  try {
    content = await readBounded(name, MAX_BYTES);
  } catch (error) {
    throw new UsageError(`${flag}: the file ${unreadable(error)}`);
  }
  if (content === undefined) throw new UsageError(`${flag}: the file is longer than ${MAX_BYTES} bytes`);
  const password = content.toString('utf8').replace(/\r?\n$/, '');
  if (password === '') throw new UsageError(`${flag}: the file is empty; expected the password in it`);
  if (password.includes('\0')) throw new UsageError(`${flag}: the file is binary; expected the password in it`);
  return password;
}

/** The certificates of a file; empty name: none. @throws UsageError */
export async function readAuthority(flag: string, file: string): Promise<string | undefined> {
  if (file === '') return undefined;
  const reader = new MaterialReader(process.cwd());
  const authority = await reader.certificates(file, [flag]);
  const [wrong] = reader.errors;
  if (wrong) throw new UsageError(`${flag}: ${wrong.message}`);
  return authority;
}
