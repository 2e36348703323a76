import { randomBytes } from 'node:crypto';

const BLOCK = 512;

/** A tar archive (ustar) of one file with so many random bytes, which do not compress. */
export function tarball(name: string, size: number): Buffer {
  const padding = (BLOCK - (size % BLOCK)) % BLOCK;
  // Two empty blocks end an archive.
  return Buffer.concat([header(name, size), randomBytes(size), Buffer.alloc(padding + 2 * BLOCK)]);
}

function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, '0');
  block.write(name, 0);
  block.write(octal(0o644, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(0, 12), 136);
  // The checksum is taken with spaces in its own place.
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 7)}\0 `, 148);
  return block;
}
