import t from 'tap';
import type { Span } from '../../src/oci/several-ranges.ts';
import type { Sink } from '../../src/splice/chunk-writer.ts';
import { PartWriter } from '../../src/splice/part-writer.ts';

const CONTENT = '0123456789abcdefghij';

/** Notes what it is given. It is full after so many writes. */
function notingSink(room = Number.POSITIVE_INFINITY) {
  const writes: { text: string; done: () => void }[] = [];
  const sink: Sink = {
    write: (bytes, done) => writes.push({ text: String(bytes), done }) < room,
    onDrain: () => undefined,
    closed: new AbortController().signal,
  };
  return { sink, writes, text: () => writes.map(({ text }) => text).join('') };
}

const frame = { headOf: ({ first, last }: Span) => Buffer.from(`<${first}-${last}>`) };

function partsOf(sink: Sink, ...parts: [number, number][]): PartWriter {
  const spans = parts.map(([first, last]) => ({ first, last }));
  return new PartWriter(sink, { first: spans[0]?.first ?? 0, last: spans.at(-1)?.last ?? 0, parts: spans }, frame);
}

t.test('parts of a read, in chunks of any size', async (t) => {
  const rows: [string, [number, number][], string][] = [
    ['one part', [[3, 6]], '<3-6>3456'],
    [
      'a gap',
      [
        [3, 4],
        [8, 9],
      ],
      '<3-4>34<8-9>89',
    ],
    [
      'side by side',
      [
        [3, 4],
        [5, 9],
      ],
      '<3-4>34<5-9>56789',
    ],
    [
      'single bytes',
      [
        [0, 0],
        [2, 2],
        [3, 3],
        [19, 19],
      ],
      '<0-0>0<2-2>2<3-3>3<19-19>j',
    ],
  ];
  for (const [name, parts, expected] of rows)
    for (let size = 1; size <= CONTENT.length; size += 1) {
      const { sink, text } = notingSink();
      const writer = partsOf(sink, ...parts);
      const [first, last] = [parts[0]?.[0] ?? 0, parts.at(-1)?.[1] ?? 0];
      let done = 0;
      let chunks = 0;
      for (let at = first; at <= last; at += size, chunks += 1)
        writer.write(Buffer.from(CONTENT.slice(at, Math.min(at + size, last + 1))), () => {
          done += 1;
        });
      t.equal(text(), expected, `${name}, ${size} bytes at once`);
      t.ok(done < chunks || text() === '', 'what was handed on is still in use');
    }
});

t.test('the memory of a chunk is given back once, with its last piece', async (t) => {
  const { sink, writes } = notingSink();
  let done = 0;
  partsOf(sink, [0, 1], [4, 5]).write(Buffer.from('012345'), () => {
    done += 1;
  });
  t.strictSame(
    writes.map(({ text }) => text),
    ['<0-1>', '01', '<4-5>', '45'],
  );
  for (const write of writes.slice(0, -1)) write.done();
  t.equal(done, 0);
  writes.at(-1)?.done();
  t.equal(done, 1);
});

t.test('a chunk of a gap is given back at once', async (t) => {
  const { sink, writes } = notingSink(0);
  const parts = partsOf(sink, [0, 1], [6, 7]);
  t.equal(
    parts.write(Buffer.from('01'), () => undefined),
    false,
    'the sink is full',
  );
  let done = false;
  t.equal(
    parts.write(Buffer.from('23'), () => {
      done = true;
    }),
    true,
    'more of the gap may come',
  );
  t.ok(done);
  t.equal(writes.length, 2);
});
