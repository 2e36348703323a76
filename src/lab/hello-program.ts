const BASE = 0x400000;
const HEADERS = 64 + 56;
const CODE = 33;

/** A static program for Linux on amd64 that prints a text and ends, so that the lab's image can be run as well as pulled. */
export function helloProgram(text: string): Buffer {
  const message = Buffer.from(text);
  const size = HEADERS + CODE + message.length;
  return Buffer.concat([fileHeader(), programHeader(size), code(message.length), message]);
}

/** ELF-64, little-endian, System V, executable, x86-64, one program header. */
function fileHeader(): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(0x3e, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(BASE + HEADERS), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  return header;
}

/** The whole file, loaded to be read and run. */
function programHeader(size: number): Buffer {
  const header = Buffer.alloc(56);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(5, 4);
  header.writeBigUInt64LE(BigInt(BASE), 16);
  header.writeBigUInt64LE(BigInt(BASE), 24);
  header.writeBigUInt64LE(BigInt(size), 32);
  header.writeBigUInt64LE(BigInt(size), 40);
  header.writeBigUInt64LE(0x1000n, 48);
  return header;
}

/** write(1, message, length); exit(0) */
function code(length: number): Buffer {
  const bytes = Buffer.from('b801000000bf01000000488d3510000000ba000000000f05b83c00000031ff0f05', 'hex');
  bytes.writeUInt32LE(length, 18);
  return bytes;
}
