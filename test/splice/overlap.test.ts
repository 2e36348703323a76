import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { OVERLAP, Tail } from '../../src/splice/overlap.ts';
import { Chunk } from '../../src/upstream/body/body-source.ts';

/** Bytes of which no two places look alike. */
const SOURCE = randomBytes(600_000);

/** How a body comes: sizes of its chunks, and how much of each is sent. */
const size = fc.oneof(
  fc.integer({ min: 1, max: 5000 }),
  fc.constantFrom(1, OVERLAP - 1, OVERLAP, OVERLAP + 1, 2 * OVERLAP, 262_144, 16_384),
);
const piece = fc.record({ size, skipped: fc.constantFrom(0, 0, 0, 1, 7), start: fc.constantFrom(0, 0, 3) });

t.test('a tail against all that was sent', async (t) => {
  const property = fc.property(
    fc.array(piece, { maxLength: 40 }),
    fc.nat(1_000_000),
    fc.array(fc.record({ back: fc.nat(3 * OVERLAP), length: fc.nat(OVERLAP * 2) }), { minLength: 3, maxLength: 6 }),
    (pieces, first, looks) => {
      const tail = new Tail(first);
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
        tail.push(chunk, bytes);
        chunk.release();
        if (live > 1) throw new Error(`${live} chunks are held`);
      }
      const all = Buffer.concat(sent);
      const end = first + all.length;
      if (tail.end !== end) throw new Error(`end ${tail.end}, not ${end}`);
      if (end - tail.start !== Math.min(all.length, OVERLAP)) throw new Error(`${end - tail.start} bytes are known`);
      for (const { back, length } of looks) {
        const from = Math.max(0, all.length - back);
        // Bytes beyond the end are not known either.
        const beyond = from + length >= all.length ? 5 : 0;
        const same = Buffer.concat([all.subarray(from, from + length), Buffer.alloc(beyond)]);
        if (!tail.agrees(same, first + from)) throw new Error(`does not agree at ${from}`);
        for (const at of [0, Math.floor(length / 2), length - 1]) {
          const known = from + at >= all.length - Math.min(all.length, OVERLAP) && from + at < all.length;
          if (at < 0 || at >= same.length) continue;
          const other = Buffer.from(same);
          other[at] = (other[at] ?? 0) ^ 0x40;
          if (tail.agrees(other, first + from) === known)
            throw new Error(`byte ${from + at} of ${all.length} is not seen`);
        }
      }
      tail.release();
      tail.release();
      if (live !== 0) throw new Error(`${live} chunks were not released`);
    },
  );
  fc.assert(property, { numRuns: 150, endOnFailure: true });
  t.pass('agrees with a plain concatenation');
});

t.test('what is not known passes', async (t) => {
  const tail = new Tail(1000);
  t.ok(tail.agrees(Buffer.from('anything'), 0), 'before the first byte');
  t.ok(tail.agrees(Buffer.from('anything'), 1000), 'nothing was sent');
  tail.push(new Chunk(Buffer.from('hello')), Buffer.from('hello'));
  t.equal(tail.start, 1000);
  t.ok(tail.agrees(Buffer.from('xxhello'), 998), 'bytes before it');
  t.ok(tail.agrees(Buffer.from('lloxx'), 1002), 'bytes after it');
  t.notOk(tail.agrees(Buffer.from('llx'), 1002));
  t.notOk(tail.agrees(Buffer.from('xxxxellox'), 997), 'its first byte differs');
  t.ok(tail.agrees(Buffer.alloc(0), 1002), 'no bytes');
});
