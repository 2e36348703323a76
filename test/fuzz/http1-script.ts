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

const VERSIONS = ['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'HTTP', ''];
const MAX_REQUESTS = 6;

/** Requests of one connection of HTTP/1.1, pipelined and perhaps cut short. */
export function http1Script(random: Random, listener: Script['listener'], known: Known): Script {
  const requests = 1 + random.below(MAX_REQUESTS);
  const isUsual = Array.from({ length: requests }, () => random.oneIn(2));
  const parts = isUsual.map((usual) => (usual ? usualRequest(random, listener, known) : oddRequest(random, known)));
  const text = Buffer.from(parts.join(''), 'latin1');
  const sent = random.oneIn(6) ? text.subarray(0, random.below(text.length)) : text;
  const ending = random.pick(['wait', 'wait', 'end', 'reset'] as const);
  const answered = isUsual[0] === true && sent === text;
  return { listener, protocol: 'HTTP/1.1', requests, writes: cutUp(random, sent), ending, answered };
}

/** Bytes in pieces, so that they are not always read together. */
export function cutUp(random: Random, bytes: Buffer): Buffer[] {
  if (!random.oneIn(3)) return [bytes];
  const cuts = Array.from({ length: 1 + random.below(3) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length));
}

/** What a client may well send. Odd requests beside it must not change its answer. */
function usualRequest(random: Random, listener: Script['listener'], known: Known): string {
  const host = listener === 'admin' ? '127.0.0.1' : 'edge.test';
  const method = random.pick(['GET', 'GET', 'GET', 'HEAD', 'HEAD', 'OPTIONS']);
  const target = random.oneIn(3) ? random.pick(USUAL_TARGETS) : random.pick(known.paths);
  const login = loginOf(random, known).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${login.join('')}\r\n`;
}

function oddRequest(random: Random, known: Known): string {
  if (random.oneIn(40)) return random.bytes(random.below(60)).toString('latin1');
  const end = random.oneIn(40) ? '\n' : '\r\n';
  const version = random.oneIn(15) ? random.pick(VERSIONS) : 'HTTP/1.1';
  const body = bodyOf(random);
  const fields = [...hostOf(random), ...fieldsOf(random, known), ...body.fields];
  const lines = fields.map(([name, value]) => `${name}: ${value}${end}`).join('');
  return `${methodOf(random)} ${targetOf(random, known)} ${version}${end}${lines}${end}${body.text}`;
}

function hostOf(random: Random): Field[] {
  if (!random.oneIn(8)) return [['host', 'edge.test']];
  const odd = random.pick(['', '127.0.0.1', 'other.test', 'EDGE.test:443', '[::1', 'a b', '\xff']);
  return random.pick<Field[]>([
    [],
    [['host', odd]],
    [
      ['host', 'edge.test'],
      ['host', odd],
    ],
  ]);
}

function bodyOf(random: Random): { fields: Field[]; text: string } {
  if (!random.oneIn(3)) return { fields: [], text: '' };
  const text = random.oneIn(5) ? 'x'.repeat(random.below(70_000)) : random.pick(BODIES);
  const length: Field = ['content-length', String(text.length)];
  const chunked: Field = ['transfer-encoding', 'chunked'];
  const chunks = `${text.length.toString(16)}\r\n${text}\r\n0\r\n`;
  return random.pick<() => { fields: Field[]; text: string }>([
    () => ({ fields: [length], text }),
    () => ({ fields: [length], text: text.slice(1) }),
    () => ({ fields: [length], text: `${text}x` }),
    () => ({ fields: [chunked], text: text === '' ? '0\r\n\r\n' : `${chunks}\r\n` }),
    () => ({ fields: [chunked], text: `${chunks}host: x\r\n\r\n` }),
    () => ({ fields: [chunked], text: `${text.length.toString(16)};a=b\r\n${text}\r\n` }),
    () => ({ fields: [chunked], text: `zz\r\n${text}` }),
    () => ({ fields: [chunked, length], text }),
  ])();
}
