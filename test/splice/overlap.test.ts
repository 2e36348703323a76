import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { OVERLAP_BYTES, OverlapWindow } from '../../src/splice/overlap.ts';
import { Chunk } from '../../src/upstream/body/body-source.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

/** Bytes of which no two places look alike. */
const SOURCE = randomBytes(600_000);

/** How a body comes: sizes of its chunks, and how much of each is sent. */
const size = fc.oneof(
  fc.integer({ min: 1, max: 5000 }),
  fc.constantFrom(1, OVERLAP_BYTES - 1, OVERLAP_BYTES, OVERLAP_BYTES + 1, 2 * OVERLAP_BYTES, 262_144, 16_384),
);
const piece = fc.record({ size, skipped: fc.constantFrom(0, 0, 0, 1, 7), start: fc.constantFrom(0, 0, 3) });

t.test('a overlap against all that was sent', async (t) => {
  const property = fc.property(
    fc.array(piece, { maxLength: 40 }),
    fc.nat(1_000_000),
    fc.array(fc.record({ back: fc.nat(3 * OVERLAP_BYTES), length: fc.nat(OVERLAP_BYTES * 2) }), {
      minLength: 3,
      maxLength: 6,
    }),
    (pieces, first, looks) => {
      const overlap = new OverlapWindow(first);
      const sent: Buffer[] = [];
      let live = 0;
      let place = 0;
      for (const { size, skipped, start } of pieces) {
        live += 1;
        const memory = Buffer.from(SOURCE.subarray(place, place + start + size + 50));
        const chunk = new Chunk(memory, () => {
          live -= 1;
          memory.fill(0xee);
        });
        const bytes = memory.subarray(start, start + Math.max(1, size - skipped));
        place += 1001;
        sent.push(Buffer.from(bytes));
        overlap.push(chunk, bytes);
        chunk.release();
        if (live > 1) throw new Error(`${live} chunks are held`);
      }
      const all = Buffer.concat(sent);
      const end = first + all.length;
      if (end - overlap.start !== Math.min(all.length, OVERLAP_BYTES))
        throw new Error(`${end - overlap.start} bytes are known`);
      for (const { back, length } of looks) {
        const from = Math.max(0, all.length - back);
        // Bytes beyond the end are not known either.
        const beyond = from + length >= all.length ? 5 : 0;
        const same = Buffer.concat([all.subarray(from, from + length), Buffer.alloc(beyond)]);
        if (!overlap.matches(same, first + from)) throw new Error(`does not agree at ${from}`);
        for (const at of [0, Math.floor(length / 2), length - 1]) {
          const known = from + at >= all.length - Math.min(all.length, OVERLAP_BYTES) && from + at < all.length;
          if (at < 0 || at >= same.length) continue;
          const other = Buffer.from(same);
          other[at] = (other[at] ?? 0) ^ 0x40;
          if (overlap.matches(other, first + from) === known)
            throw new Error(`byte ${from + at} of ${all.length} is not seen`);
        }
      }
      overlap.release();
      overlap.release();
      if (live !== 0) throw new Error(`${live} chunks were not released`);
    },
  );
  fc.assert(property, { numRuns: propertyRuns(150), endOnFailure: true });
  t.pass('agrees with a plain concatenation');
});

t.test('the window over large and small chunks', async (t) => {
  const overlap = new OverlapWindow(10);
  let [sent, held] = [0, 0];
  const push = (size: number) => {
    held += 1;
    const chunk = new Chunk(Buffer.from(SOURCE.subarray(sent, sent + size)), () => {
      held -= 1;
    });
    overlap.push(chunk, chunk.bytes);
    chunk.release();
    sent += size;
  };
  const steps: [size: number, known: number, held: number][] = [
    [1000, 1000, 0],
    [OVERLAP_BYTES - 1000, OVERLAP_BYTES, 0],
    [OVERLAP_BYTES - 1, OVERLAP_BYTES, 0],
    // The copy has no room for two bytes more: its last window moves to the front.
    [2, OVERLAP_BYTES, 0],
    [OVERLAP_BYTES, OVERLAP_BYTES, 1],
    [2 * OVERLAP_BYTES, OVERLAP_BYTES, 1],
    [1, OVERLAP_BYTES, 0],
    [OVERLAP_BYTES - 1, OVERLAP_BYTES, 0],
    [3, OVERLAP_BYTES, 0],
  ];
  for (const [size, known, chunks] of steps) {
    push(size);
    const name = `${size} bytes more, ${sent} in all`;
    t.equal(overlap.start, 10 + sent - known, name);
    t.equal(held, chunks, `${name}: only a large chunk is kept as it is`);
    const last = SOURCE.subarray(sent - known, sent);
    t.ok(overlap.matches(last, overlap.start), `${name}: the same bytes`);
    for (const at of [0, Math.floor(known / 2), known - 1]) {
      const other = Buffer.from(last);
      other[at] = (other[at] ?? 0) ^ 1;
      t.notOk(overlap.matches(other, overlap.start), `${name}: byte ${at} differs`);
    }
  }
  push(OVERLAP_BYTES);
  overlap.release();
  t.equal(held, 0);
  t.equal(overlap.start, 10 + sent, 'nothing is known any more');
});

t.test('what is not known passes', async (t) => {
  const overlap = new OverlapWindow(1000);
  t.ok(overlap.matches(Buffer.from('anything'), 0), 'before the first byte');
  t.ok(overlap.matches(Buffer.from('anything'), 1000), 'nothing was sent');
  overlap.push(new Chunk(Buffer.from('hello')), Buffer.from('hello'));
  t.equal(overlap.start, 1000);
  t.ok(overlap.matches(Buffer.from('xxhello'), 998), 'bytes before it');
  t.ok(overlap.matches(Buffer.from('lloxx'), 1002), 'bytes after it');
  t.notOk(overlap.matches(Buffer.from('llx'), 1002));
  t.notOk(overlap.matches(Buffer.from('xxxxellox'), 997), 'its first byte differs');
  t.ok(overlap.matches(Buffer.alloc(0), 1002), 'no bytes');
});
