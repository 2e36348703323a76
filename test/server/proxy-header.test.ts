import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { type ProxyHeader, parseProxyHeader } from '../../src/server/proxy-header.ts';
import { propertyRuns } from '../helpers/property-runs.ts';
import { addresses, binaryHeader, tlv } from './proxy-bytes.ts';

const CLIENT_HELLO = Buffer.from('160301020001000001fc0303', 'hex');
const V6 = addresses('2001:db8:0:0:0:0:0:7', 'fd00:0:0:0:0:0:0:1', 4711, 443);
const V1 = 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n';
/** The longest line that the specification can think of. */
const LONGEST = `PROXY UNKNOWN ${'f'.repeat(39)} ${'f'.repeat(39)} 65535 65535\r\n`.padEnd(107);

const named = (address: string, port: number) => ({ address, port });

const GOOD: [name: string, header: Buffer | string, client: { address: string; port: number } | undefined][] = [
  ['IPv4 in text', V1, named('203.0.113.9', 4711)],
  ['IPv6 in text', 'PROXY TCP6 2001:DB8::7 fd00::1 4711 443\r\n', named('2001:db8::7', 4711)],
  ['IPv6 in full', 'PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0007 ::1 0 65535\r\n', named('2001:db8::7', 0)],
  ['IPv4 within IPv6', 'PROXY TCP6 ::ffff:cb00:7109 ::1 1 2\r\n', named('::ffff:203.0.113.9', 1)],
  ['IPv4 within IPv6, with dots', 'PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n', named('::ffff:203.0.113.9', 1)],
  ['unknown in text', 'PROXY UNKNOWN\r\n', undefined],
  ['unknown, with what is to be ignored', 'PROXY UNKNOWN 10.0.0.9 10.0.0.1 1 2\r\n', undefined],
  ['unknown, as long as may be', `${LONGEST.trimEnd().padEnd(105, 'x')}\r\n`, undefined],
  ['IPv4', binaryHeader(), named('203.0.113.9', 4711)],
  ['IPv6', binaryHeader({ family: 0x21, payload: V6 }), named('2001:db8::7', 4711)],
  [
    'IPv4 within IPv6, binary',
    binaryHeader({ family: 0x21, payload: addresses('0:0:0:0:0:ffff:cb00:7109', '0:0:0:0:0:0:0:1', 9, 443) }),
    named('::ffff:203.0.113.9', 9),
  ],
  [
    'with TLVs',
    binaryHeader({
      payload: Buffer.concat([
        addresses('203.0.113.9', '10.0.0.1', 65_535, 443),
        tlv(0x01, Buffer.from('h2')),
        tlv(0xea, Buffer.from('\x01vpce-1')),
      ]),
    }),
    named('203.0.113.9', 65_535),
  ],
  [
    'with something after the addresses that is no TLV',
    binaryHeader({ payload: Buffer.concat([addresses('203.0.113.9', '10.0.0.1', 1, 443), Buffer.from([3, 0])]) }),
    named('203.0.113.9', 1),
  ],
  [
    'as long as may be',
    binaryHeader({ payload: Buffer.concat([V6, Buffer.alloc(4044)]), family: 0x21 }),
    named('2001:db8::7', 4711),
  ],
  ['LOCAL', binaryHeader({ first: 0x20, family: 0, payload: Buffer.alloc(0) }), undefined],
  ['LOCAL with addresses, which say nothing', binaryHeader({ first: 0x20 }), undefined],
  ['LOCAL of an unknown family, which is ignored', binaryHeader({ first: 0x20, family: 0xff }), undefined],
  ['LOCAL with TLVs', binaryHeader({ first: 0x20, family: 0, payload: tlv(4, Buffer.alloc(20)) }), undefined],
  ['no family', binaryHeader({ family: 0, payload: Buffer.alloc(0) }), undefined],
  ['no family, with TLVs', binaryHeader({ family: 0, payload: tlv(4, Buffer.alloc(7)) }), undefined],
  ['unix', binaryHeader({ family: 0x31, payload: Buffer.alloc(216, 'a') }), undefined],
  ['unix datagrams', binaryHeader({ family: 0x32, payload: Buffer.alloc(216, 'a') }), undefined],
  ['datagrams, whose address anybody can claim', binaryHeader({ family: 0x12 }), undefined],
  ['datagrams over IPv6', binaryHeader({ family: 0x22, payload: V6 }), undefined],
];

const BAD: [name: string, header: Buffer | string][] = [
  ['no family in text', 'PROXY \r\n'],
  ['another family', 'PROXY UDP4 203.0.113.9 10.0.0.1 4711 443\r\n'],
  ['in lower case', 'PROXY tcp4 203.0.113.9 10.0.0.1 4711 443\r\n'],
  ['unknown, and no space', 'PROXY UNKNOWNX\r\n'],
  ['a tabulator', 'PROXY TCP4\t203.0.113.9 10.0.0.1 4711 443\r\n'],
  ['two spaces', 'PROXY TCP4  203.0.113.9 10.0.0.1 4711 443\r\n'],
  ['a space at the end', 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 443 \r\n'],
  ['no carriage return', 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\n'],
  ['a carriage return in the middle', 'PROXY UNKNOWN \r x\r\n'],
  ['a port missing', 'PROXY TCP4 203.0.113.9 10.0.0.1 4711\r\n'],
  ['one too many', 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 443 1\r\n'],
  ['a great port', 'PROXY TCP4 203.0.113.9 10.0.0.1 65536 443\r\n'],
  ['a great port of the other end', 'PROXY TCP4 203.0.113.9 10.0.0.1 4711 65536\r\n'],
  ['a port with a zero before it', 'PROXY TCP4 203.0.113.9 10.0.0.1 04711 443\r\n'],
  ['a port below nothing', 'PROXY TCP4 203.0.113.9 10.0.0.1 -1 443\r\n'],
  ['a port in hex', 'PROXY TCP4 203.0.113.9 10.0.0.1 0x10 443\r\n'],
  ['zeros before a number', 'PROXY TCP4 203.0.113.09 10.0.0.1 4711 443\r\n'],
  ['an octet too great', 'PROXY TCP4 203.0.113.256 10.0.0.1 4711 443\r\n'],
  ['three octets', 'PROXY TCP4 203.0.113 10.0.0.1 4711 443\r\n'],
  ['the other end none', 'PROXY TCP4 203.0.113.9 10.0.0 4711 443\r\n'],
  ['IPv6 as IPv4', 'PROXY TCP4 2001:db8::7 fd00::1 4711 443\r\n'],
  ['IPv4 as IPv6', 'PROXY TCP6 203.0.113.9 10.0.0.1 4711 443\r\n'],
  ['IPv4 to IPv6', 'PROXY TCP6 203.0.113.9 fd00::1 4711 443\r\n'],
  ['IPv6 to IPv4', 'PROXY TCP4 2001:db8::7 10.0.0.1 4711 443\r\n'],
  ['families mixed', 'PROXY TCP6 2001:db8::7 10.0.0.1 4711 443\r\n'],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 fd00::1 4711 443\r\n'],
  ['brackets', 'PROXY TCP6 [2001:db8::7] fd00::1 4711 443\r\n'],
  ['a name', 'PROXY TCP4 localhost 10.0.0.1 4711 443\r\n'],
  ['a line too long by one', `${LONGEST.trimEnd().padEnd(106, 'x')}\r\n`],
  ['a line without end', `PROXY UNKNOWN ${'x'.repeat(200)}`],
  ['version 1 in binary', binaryHeader({ first: 0x11 })],
  ['version 3', binaryHeader({ first: 0x31 })],
  ['an unknown command', binaryHeader({ first: 0x22 })],
  ['IPv4 without transport', binaryHeader({ family: 0x10 })],
  ['an unknown transport', binaryHeader({ family: 0x13 })],
  ['an unknown family', binaryHeader({ family: 0x41 })],
  ['no family, but a transport', binaryHeader({ family: 0x01 })],
  ['shorter than its addresses', binaryHeader({ length: 11 })],
  ['IPv6 of the length of IPv4', binaryHeader({ family: 0x21 })],
  ['unix without room', binaryHeader({ family: 0x31, payload: V6 })],
  ['too long by one', binaryHeader({ payload: Buffer.alloc(4081) })],
  ['LOCAL, and too long', binaryHeader({ first: 0x20, length: 0xffff })],
];

const bytesOf = (header: Buffer | string) => (typeof header === 'string' ? Buffer.from(header, 'latin1') : header);

t.test('headers', async (t) => {
  for (const [name, header, client] of GOOD) {
    const bytes = bytesOf(header);
    const expected = client
      ? { kind: 'header', length: bytes.length, client }
      : { kind: 'header', length: bytes.length };
    t.strictSame(parseProxyHeader(bytes), expected, name);
    t.strictSame(parseProxyHeader(Buffer.concat([bytes, CLIENT_HELLO])), expected, `${name}, and what follows it`);
  }
});

t.test('broken headers', async (t) => {
  for (const [name, header] of BAD) t.equal(parseProxyHeader(bytesOf(header)).kind, 'malformed', name);
});

t.test('what is no header', async (t) => {
  const others = [
    CLIENT_HELLO,
    'GET / HTTP/1.1\r\n',
    'PUT / HTTP/1.1\r\n',
    'PROXY\r\n',
    'proxy TCP4',
    '\r\n\r\n\0\r\nQUIT\r',
    '\n',
    '\0',
  ];
  for (const other of others) t.equal(parseProxyHeader(bytesOf(other)).kind, 'absent', JSON.stringify(other));
  t.equal(parseProxyHeader(Buffer.alloc(0)).kind, 'incomplete');
});

/** The first verdict on bytes that come in pieces. */
function verdict(pieces: Buffer[]): ProxyHeader {
  let held = Buffer.alloc(0);
  for (const piece of pieces) {
    held = Buffer.concat([held, piece]);
    const found = parseProxyHeader(held);
    if (found.kind !== 'incomplete') return found;
  }
  return { kind: 'incomplete' };
}

function split(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((one, other) => one - other), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
}

const known = fc.constantFrom(
  ...GOOD.map(([, header]) => bytesOf(header)),
  ...BAD.map(([, header]) => bytesOf(header)),
);

t.test('bytes mean the same however they are split', async (t) => {
  const followed = fc.tuple(known, fc.uint8Array({ maxLength: 40 })).map(([one, more]) => Buffer.concat([one, more]));
  fc.assert(
    fc.property(followed, fc.array(fc.nat({ max: 5000 }), { maxLength: 12 }), (bytes, cuts) => {
      return isDeepStrictEqual(verdict(split(bytes, cuts)), parseProxyHeader(bytes));
    }),
  );
  for (const [name, header] of [...GOOD, ...BAD]) {
    const bytes = bytesOf(header);
    const single = split(bytes, [...bytes.keys()]);
    t.strictSame(verdict(single), parseProxyHeader(bytes), `${name}, in single bytes`);
  }
});

t.test('nothing is decided too early, nothing is waited for in vain', async (t) => {
  for (const [name, header] of GOOD) {
    const bytes = bytesOf(header);
    t.equal(parseProxyHeader(bytes.subarray(0, -1)).kind, 'incomplete', `${name}, but for the last byte`);
  }
  fc.assert(
    fc.property(known, fc.uint8Array({ minLength: 4096, maxLength: 5000 }), (start, more) => {
      return parseProxyHeader(Buffer.concat([start, more])).kind !== 'incomplete';
    }),
  );
});

t.test('random bytes are no header', async () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 12, maxLength: 300 }),
      (bytes) => parseProxyHeader(Buffer.from(bytes)).kind === 'absent',
    ),
    { numRuns: propertyRuns(2000) },
  );
});

t.test('random bytes after a good beginning name no client but one that they write out', async () => {
  const start = fc.constantFrom(
    'PROXY ',
    'PROXY TCP4 ',
    'PROXY TCP6 ',
    'PROXY TCP4 203.0.113.9 ',
    '\r\n\r\n\0\r\nQUIT\n',
    '\r\n\r\n\0\r\nQUIT\n\x21\x11',
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (beginning, more) => {
      const bytes = Buffer.concat([Buffer.from(beginning, 'latin1'), more]);
      const found = parseProxyHeader(bytes);
      if (found.kind !== 'header') return true;
      if (!found.client || beginning.startsWith('PROXY')) return found.length <= bytes.length;
      return found.client.address === bytes.subarray(16, 20).join('.') || bytes[13] === 0x21;
    }),
    { numRuns: propertyRuns(2000) },
  );
});

t.test('any address goes through as it is', async () => {
  const port = fc.nat({ max: 65_535 });
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), port, port, (source, destination, sourcePort, port) => {
      const client = { address: source, port: sourcePort };
      const text = Buffer.from(`PROXY TCP4 ${source} ${destination} ${sourcePort} ${port}\r\n`);
      const binary = binaryHeader({ payload: addresses(source, destination, sourcePort, port) });
      return (
        isDeepStrictEqual(parseProxyHeader(text), { kind: 'header', length: text.length, client }) &&
        isDeepStrictEqual(parseProxyHeader(binary), { kind: 'header', length: 28, client })
      );
    }),
  );
  const groups = fc.array(fc.nat({ max: 0xffff }), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (numbers) => {
      const address = numbers.map((one) => one.toString(16)).join(':');
      const text = parseProxyHeader(Buffer.from(`PROXY TCP6 ${address} ::1 1 2\r\n`));
      const binary = parseProxyHeader(binaryHeader({ family: 0x21, payload: addresses(address, address, 1, 2) }));
      return text.kind === 'header' && binary.kind === 'header' && text.client?.address === binary.client?.address;
    }),
  );
});
