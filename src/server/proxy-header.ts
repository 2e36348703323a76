import { isIP, SocketAddress } from 'node:net';

/** The client that a load balancer names; its address in the form of a socket's address. */
export interface NamedClient {
  address: string;
  port: number;
}

/**
 * The first bytes of a connection by the PROXY protocol (proxy-protocol.txt of HAProxy, versions 1 and 2). `incomplete`: more bytes are
 * needed. `absent`: no header. `header`: the first `length` bytes are the header. A header without a client names none: health checks,
 * `UNKNOWN`, `LOCAL`, UNIX sockets, datagrams.
 */
export type ProxyHeader =
  | { kind: 'incomplete' }
  | { kind: 'absent' }
  | { kind: 'malformed'; reason: string }
  | { kind: 'header'; length: number; client?: NamedClient };

/** Section 2.1: the longest line, with its CRLF. */
const V1_MAX = 107;
const V1_PREFIX = Buffer.from('PROXY ', 'latin1');
/** The same limit as nginx has; extensions (TLVs) take a few hundred bytes. */
const V2_MAX = 4096;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED = 16;

/** Bytes of addresses by family and transport (section 2.2); other values are refused. */
const V2_ADDRESS_BYTES = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);

/** @param bytes all bytes so far; more bytes can change only the result `incomplete` */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (beginsAs(bytes, V1_PREFIX)) return parseText(bytes);
  if (beginsAs(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED ? { kind: 'incomplete' } : parseBinary(bytes);
  return { kind: 'absent' };
}

/** Whether one of the two begins with the other. */
function beginsAs(bytes: Buffer, start: Buffer): boolean {
  const common = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, common, 0, common) === 0;
}

function parseText(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_MAX).indexOf(0x0a);
  if (end < 0) return bytes.length < V1_MAX ? { kind: 'incomplete' } : malformed('a line of more than 107 bytes');
  const line = bytes.toString('latin1', 0, end + 1);
  const length = end + 1;
  // The rest of such a line is ignored.
  if (/^PROXY UNKNOWN(?: [^\r\n]*)?\r\n$/.test(line)) return { kind: 'header', length };
  const fields = /^PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/.exec(line);
  if (!fields) return malformed('a line of another form');
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = ''] = fields;
  const ports = [sourcePort, destinationPort].map(Number);
  if (isIP(source) !== Number(family) || isIP(destination) !== Number(family))
    return malformed('an address that is none of its family');
  if (!ports.every((port) => port <= 65_535)) return malformed('a port that is none');
  return { kind: 'header', length, client: { address: asSocket(source), port: Number(sourcePort) } };
}

function parseBinary(bytes: Buffer): ProxyHeader {
  const version = bytes.readUInt8(12) >> 4;
  const command = bytes.readUInt8(12) & 0x0f;
  const family = bytes.readUInt8(13);
  const length = V2_FIXED + bytes.readUInt16BE(14);
  if (version !== 2) return malformed('a version that is not 2');
  if (command > 1) return malformed('an unknown command');
  if (length > V2_MAX) return malformed('a header of more than 4096 bytes');
  // With LOCAL the rest is skipped, family included.
  if (command === 1) {
    const needed = V2_ADDRESS_BYTES.get(family);
    if (needed === undefined) return malformed('an unknown family or transport');
    if (length < V2_FIXED + needed) return malformed('shorter than its addresses');
  }
  if (bytes.length < length) return { kind: 'incomplete' };
  const client = command === 1 ? clientOf(bytes, family) : undefined;
  return client ? { kind: 'header', length, client } : { kind: 'header', length };
}

/** Addresses of other families than TCP count as unspecified (section 2.2). */
function clientOf(bytes: Buffer, family: number): NamedClient | undefined {
  if (family === 0x11) return { address: bytes.subarray(16, 20).join('.'), port: bytes.readUInt16BE(24) };
  if (family !== 0x21) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(16 + 2 * index).toString(16));
  return { address: asSocket(groups.join(':')), port: bytes.readUInt16BE(48) };
}

/** The same text for an address that a socket has. */
function asSocket(address: string): string {
  return new SocketAddress({ address, family: isIP(address) === 4 ? 'ipv4' : 'ipv6' }).address;
}

function malformed(reason: string): ProxyHeader {
  return { kind: 'malformed', reason };
}
