import { createReadStream } from 'node:fs';

/** Reads a whole file of at most `limit` bytes; also from a pipe, and no more of an endless device. Undefined: it is longer. */
export async function readBounded(file: string, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of createReadStream(file)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) return undefined;
  }
  return Buffer.concat(chunks);
}

/** Why a file could not be read, without its name: in place of a name there may stand a secret. */
export function unreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const known: Record<string, string> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'does not exist',
    EACCES: 'may not be read',
    EPERM: 'may not be read',
    EISDIR: 'is a folder',
    ENAMETOOLONG: 'has a name that is too long',
  };
  return known[code] ?? `cannot be read (${code})`;
}
