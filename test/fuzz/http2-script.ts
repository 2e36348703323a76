import { cutUp } from './http1-script.ts';
import type { Random } from './random.ts';
import {
  BODIES,
  type Field,
  fieldsOf,
  type Known,
  loginOf,
  methodOf,
  targetOf,
  USUAL_TARGETS,
} from './request-parts.ts';
import type { Script } from './script.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
};
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const MAX_REQUESTS = 8;

/** Frames of one session, most of them requests. */
export function http2Script(random: Random, known: Known): Script {
  const requests = 1 + random.below(MAX_REQUESTS);
  const frames = [random.oneIn(60) ? random.bytes(24) : PREFACE, settings(random)];
  for (let index = 0; index < requests; index += 1) {
    const stream = random.oneIn(40) ? random.below(20) : 2 * index + 1;
    frames.push(...requestFrames(random, stream, known));
    if (random.oneIn(8)) frames.push(oddFrame(random, stream));
  }
  if (random.oneIn(10)) frames.push(frame(TYPE.goaway, 0, 0, Buffer.alloc(8)));
  const bytes = Buffer.concat(frames);
  const sent = random.oneIn(8) ? bytes.subarray(0, random.below(bytes.length)) : bytes;
  const ending = random.pick(['wait', 'wait', 'end', 'reset'] as const);
  return { listener: 'https', protocol: 'HTTP/2', requests, writes: cutUp(random, sent), ending, answered: false };
}

function requestFrames(random: Random, stream: number, known: Known): Buffer[] {
  const block = headerBlock(fieldsOfStream(random, known));
  const body = random.oneIn(3) ? bodyOf(random) : undefined;
  const flags = body === undefined && !random.oneIn(12) ? END_STREAM : 0;
  const frames: Buffer[] = [];
  if (random.oneIn(10)) {
    const cut = random.below(block.length + 1);
    frames.push(frame(TYPE.headers, flags, stream, block.subarray(0, cut)));
    frames.push(frame(TYPE.continuation, END_HEADERS, stream, block.subarray(cut)));
  } else {
    frames.push(frame(TYPE.headers, flags | END_HEADERS, stream, block));
  }
  if (body) frames.push(frame(TYPE.data, random.oneIn(6) ? 0 : END_STREAM, stream, body));
  if (random.oneIn(10))
    frames.push(frame(TYPE.headers, END_HEADERS | END_STREAM, stream, headerBlock([['x-sum', '1']])));
  if (random.oneIn(8)) frames.push(frame(TYPE.reset, 0, stream, number32(random.below(14))));
  return frames;
}

function bodyOf(random: Random): Buffer {
  return random.oneIn(2) ? random.bytes(random.below(2_000)) : Buffer.from(random.pick(BODIES));
}

function fieldsOfStream(random: Random, known: Known): Field[] {
  if (random.oneIn(2))
    return [
      [':method', random.pick(['GET', 'HEAD'])],
      [':scheme', 'https'],
      [':path', random.oneIn(3) ? random.pick(USUAL_TARGETS) : random.pick(known.paths)],
      [':authority', 'edge.test'],
      ...loginOf(random, known),
    ];
  const pseudo: Field[] = [
    [':method', methodOf(random)],
    [':scheme', random.oneIn(20) ? random.pick(['http', '', 'x']) : 'https'],
    [':path', targetOf(random, known)],
    [':authority', random.oneIn(10) ? random.pick(['', 'other.test', 'edge.test:443', 'a b', '[::1']) : 'edge.test'],
  ];
  const fields = [...pseudo, ...fieldsOf(random, known)];
  if (!random.oneIn(5)) return fields;
  const odd: readonly (() => Field[])[] = [
    () => fields.toSpliced(random.below(4), 1),
    () => [...fields, random.pick(pseudo)],
    () => [...fields.slice(4), ...pseudo],
    () => [...pseudo, [':protocol', 'websocket'], ...fields.slice(4)],
    () => [...pseudo, [':status', '200']],
    () => [...pseudo, [':x', 'y']],
    () => [...fields, ['X-Upper', 'y']],
    () => [...fields, ['content-length', '7']],
    () => [
      [':method', 'CONNECT'],
      [':authority', 'edge.test'],
    ],
    () => [...pseudo, ...Array.from({ length: 150 }, (_, index): Field => [`x-${index}`, 'y'])],
  ];
  return random.pick(odd)();
}

function settings(random: Random): Buffer {
  if (!random.oneIn(10)) return frame(TYPE.settings, 0, 0, Buffer.alloc(0));
  const entry = Buffer.alloc(6);
  entry.writeUInt16BE(1 + random.below(9));
  entry.writeUInt32BE(random.pick([0, 1, 100, 16_384, 0x7fffffff, 0xffffffff]), 2);
  return frame(TYPE.settings, random.oneIn(10) ? 1 : 0, 0, entry);
}

function oddFrame(random: Random, stream: number): Buffer {
  return random.pick<() => Buffer>([
    () => frame(TYPE.window, 0, random.pick([0, stream]), number32(random.pick([0, 1, 65_535, 0x7fffffff]))),
    () => frame(TYPE.priority, 0, stream, Buffer.from([0, 0, 0, stream, 0])),
    () => frame(TYPE.ping, random.below(2), 0, Buffer.alloc(8)),
    () => frame(TYPE.reset, 0, random.pick([stream, stream + 2]), number32(random.below(14))),
    () => frame(TYPE.data, random.below(2), random.pick([stream, 99, 0]), random.bytes(random.below(100))),
    () => frame(TYPE.settings, 0, 0, number32(0)),
    () => frame(TYPE.continuation, END_HEADERS, stream, headerBlock([['x', 'y']])),
    () => frame(5, 0, stream, Buffer.alloc(4)),
    () => frame(TYPE.headers, END_HEADERS, stream, random.bytes(random.below(40))),
    () => frame(random.below(256), random.below(256), random.below(9), random.bytes(random.below(40))),
    () => random.bytes(random.below(20)),
  ])();
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Fields as literals without indexing (RFC 7541 section 6.2.2). */
function headerBlock(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

/** RFC 7541 sections 5.1 and 5.2. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  if (bytes.length < 127) {
    length.push(bytes.length);
  } else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push(0x80 | (rest & 0x7f));
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
