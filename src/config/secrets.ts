const MIN_BYTES = 32;

/**
 * The secrets in a key file: one a line, the first in use and the others still accepted, so that it can be replaced. A file that is no
 * text, or whose lines are too short for that (base64 broken into lines), is one secret as a whole. Line ends around it do not count.
 */
export function secretsIn(content: Buffer): Buffer[] {
  const text = content.toString('latin1').trim();
  if (/[^\x20-\x7e\r\n]/.test(text)) return [content];
  const lines = text.split(/\s*\n\s*/);
  const all = lines.every((line) => line.length >= MIN_BYTES) ? lines : [text];
  return all.map((one) => Buffer.from(one, 'latin1'));
}
