import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileKind } from '../../clients/lint/file-kind.ts';
import type { Finding } from '../../clients/lint/finding.ts';

/** Files of people are far smaller. More would take the parsers too long. */
export const MAX_FILE_BYTES = 1_048_576;

/** A file's text, or the finding that says why there is none. */
export type ReadText = { text: string } | { finding: Finding };

/** Reads a regular file. A pipe or a device is not waited for. */
export async function readText(path: string, kind: FileKind | undefined): Promise<ReadText> {
  // Only its name matters, and a private key is nobody's business.
  if (kind === 'certificates' && !path.endsWith('.crt')) return { text: '' };
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) return { finding: unreadable(path, 'it is no regular file') };
    if (stat.size > MAX_FILE_BYTES) return { finding: tooLarge(path) };
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    for (let more = 1; more > 0 && length <= MAX_FILE_BYTES; length += more)
      more = (await file.read(bytes, length, bytes.length - length, null)).bytesRead;
    return length > MAX_FILE_BYTES ? { finding: tooLarge(path) } : decoded(path, bytes.subarray(0, length), kind);
  } catch (error) {
    return { finding: unreadable(path, reasonOf(error)) };
  }
}

/** Text of bytes that are in memory. */
export function decoded(path: string, bytes: Buffer, kind: FileKind | undefined): ReadText {
  // A certificate in DER is what a rule looks for.
  if (kind === 'certificates') return { text: bytes.toString('latin1') };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return { text };
  } catch {
    // It is told below.
  }
  return {
    finding: {
      rule: 'file-binary',
      effect: 'broken',
      file: path,
      line: 1,
      happens: 'The file is no text in UTF-8. The program cannot read it.',
      remedy: 'Write it anew, as text in UTF-8.',
    },
  };
}

export function tooLarge(path: string): Finding {
  return {
    rule: 'file-too-large',
    effect: 'broken',
    file: path,
    line: 1,
    happens: 'The file is larger than 1 MiB, and was not looked at.',
    remedy: 'Check its parts one by one, such as one secret after the other.',
  };
}

export function unreadable(path: string, reason: string): Finding {
  return {
    rule: 'file-unreadable',
    effect: 'broken',
    file: path,
    line: 1,
    happens: `The file was not looked at: ${reason}.`,
    remedy: 'Run this command as a user that may read it, or name the file itself.',
  };
}

/** Why a file cannot be read, in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words: Record<string, string> = {
    EACCES: 'this user may not read it',
    EPERM: 'this user may not read it',
    ENOENT: 'it is not there, or the link leads nowhere',
    ELOOP: 'its links lead in a circle',
    ENXIO: 'it is no regular file',
  };
  return words[code] ?? (code === '' ? 'it cannot be read' : `it cannot be read (${code})`);
}
