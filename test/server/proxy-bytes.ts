/** A header of version 2 of the PROXY protocol, as wrong as asked for. */
export function binaryHeader({
  first = 0x21,
  family = 0x11,
  payload = Buffer.concat([addresses('203.0.113.9', '10.0.0.1', 4711, 443)]),
  length = payload.length,
}: {
  /** Version and command. */
  first?: number;
  /** Family and transport. */
  family?: number;
  payload?: Buffer;
  /** As the header says, whatever follows. */
  length?: number;
} = {}): Buffer {
  const fixed = Buffer.from([
    ...Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
    first,
    family,
    length >> 8,
    length & 0xff,
  ]);
  return Buffer.concat([fixed, payload]);
}

/** Addresses and ports of both ends; IPv6 in eight groups, without `::`. */
export function addresses(source: string, destination: string, sourcePort: number, destinationPort: number): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(destinationPort, 2);
  return Buffer.concat([octets(source), octets(destination), ports]);
}

/** A TLV: type, length, value. */
export function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value]);
}

function octets(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(
    address.split(':').flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
