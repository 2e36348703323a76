import fc from 'fast-check';
import t from 'tap';
import { answersRange, formatRange, parseContentRange, parseRange, parseRanges } from '../../src/oci/range.ts';

t.test('Range', async (t) => {
  const rows: [string | undefined, unknown][] = [
    [undefined, undefined],
    ['', undefined],
    ['items=0-1', undefined],
    ['0-2', undefined],
    ['xbytes=0-1', undefined],
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=5-', { first: 5, last: undefined }],
    ['bytes=-5', { first: undefined, last: 5 }],
    ['bytes=5-9', { first: 5, last: 9 }],
    ['Bytes = 5-9', { first: 5, last: 9 }],
    [' bytes=5-9 ', { first: 5, last: 9 }],
    ['bytes=999999999999999-', { first: 999_999_999_999_999, last: undefined }],
    ['bytes=', 'invalid'],
    ['bytes=-', 'invalid'],
    ['bytes=9-5', 'invalid'],
    ['bytes=-0', 'invalid'],
    ['bytes=-000', 'invalid'],
    ['bytes=-01', { first: undefined, last: 1 }],
    ['bytes=a-b', 'invalid'],
    ['bytes=0x1-5', 'invalid'],
    ['bytes=1.5-2', 'invalid'],
    ['bytes=+1-2', 'invalid'],
    ['bytes=--1', 'invalid'],
    ['bytes=1-2-3', 'invalid'],
    ['bytes=0-1,3-4', 'invalid'],
    ['bytes=0-1,', { first: 0, last: 1 }],
    ['bytes=0-1,-0', { first: 0, last: 1 }],
    ['bytes=x bytes=0-1', 'invalid'],
    ['bytes=1000000000000000-', 'invalid'],
    ['bytes', undefined],
  ];
  for (const [header, expected] of rows) t.strictSame(parseRange(header), expected, JSON.stringify(header));
});

t.test('Range of several ranges', async (t) => {
  const rows: [string | undefined, unknown][] = [
    [undefined, undefined],
    ['items=0-1,3-4', undefined],
    ['bytes=0-1,3-4', ['bytes=0-1', 'bytes=3-4']],
    ['bytes = 0-1 ,\t3- , -5', ['bytes=0-1', 'bytes=3-', 'bytes=-5']],
    ['bytes=5-6,0-1,0-9', ['bytes=5-6', 'bytes=0-1', 'bytes=0-9']],
    ['bytes=,0-1,,3-4,', ['bytes=0-1', 'bytes=3-4']],
    ['bytes=0-1,-0', ['bytes=0-1']],
    ['bytes=-0,-00', 'invalid'],
    ['bytes=,', 'invalid'],
    ['bytes=0-1,x', 'invalid'],
    ['bytes=0-1,4-3', 'invalid'],
    ['bytes=0-1;3-4', 'invalid'],
    ['bytes=0-1, bytes=3-4', 'invalid'],
    ['bytes=0-1 3-4', 'invalid'],
    ['bytes=7-7', ['bytes=7-7']],
  ];
  for (const [header, expected] of rows) {
    const ranges = parseRanges(header);
    t.strictSame(Array.isArray(ranges) ? ranges.map(formatRange) : ranges, expected, JSON.stringify(header));
  }
});

t.test('Content-Range', async (t) => {
  const rows: [string | undefined, unknown][] = [
    ['bytes 0-0/1', { first: 0, last: 0, total: 1 }],
    ['bytes 5-9/10', { first: 5, last: 9, total: 10 }],
    [' bytes 5-9/200 ', { first: 5, last: 9, total: 200 }],
    ['BYTES 5-9/200', { first: 5, last: 9, total: 200 }],
    [
      'bytes 100-999999999999998/999999999999999',
      { first: 100, last: 999_999_999_999_998, total: 999_999_999_999_999 },
    ],
    [undefined, undefined],
    ['', undefined],
    ['bytes */10', undefined],
    ['bytes 5-9/*', undefined],
    ['bytes 9-5/10', undefined],
    ['bytes 5-10/10', undefined],
    ['bytes -9/10', undefined],
    ['bytes 5-/10', undefined],
    ['bytes 5-9/', undefined],
    ['bytes=5-9/10', undefined],
    ['items 5-9/10', undefined],
    ['xbytes 5-9/10', undefined],
    ['bytes 5-9/10 x', undefined],
    ['bytes a-b/c', undefined],
    ['bytes 5-9/1000000000000000', undefined],
  ];
  for (const [header, expected] of rows) t.strictSame(parseContentRange(header), expected, JSON.stringify(header));
});

t.test('property: numbers come out exactly as written, and in order', async () => {
  const number = fc.option(fc.nat({ max: 999_999_999_999_999 }), { nil: undefined });
  fc.assert(
    fc.property(number, number, (first, last) => {
      const range = parseRange(`bytes=${first ?? ''}-${last ?? ''}`);
      // The last 0 bytes are none.
      const isNothing = first === undefined && (last === undefined || last === 0);
      const nonsense = isNothing || (first !== undefined && last !== undefined && last < first);
      if (nonsense) return range === 'invalid';
      return typeof range === 'object' && range.first === first && range.last === last;
    }),
  );
});

t.test('property: never throws', async () => {
  fc.assert(
    fc.property(
      fc.string().map((text) => `bytes=${text}`),
      (header) => {
        const range = parseRange(header);
        return range === 'invalid' || typeof range === 'object';
      },
    ),
  );
});

t.test('whether a 206 has what was asked for', async (t) => {
  const rows: [string, string | undefined, number | undefined, boolean][] = [
    ['bytes=0-', 'bytes 0-9/10', 10, true],
    ['bytes=0-', 'bytes 0-9/10', undefined, true],
    ['bytes=5-', 'bytes 5-9/10', 5, true],
    ['bytes=5-7', 'bytes 5-7/10', 3, true],
    ['bytes=5-7', 'bytes 5-6/10', 2, true],
    ['bytes=5-99', 'bytes 5-9/10', 5, true],
    ['bytes=-3', 'bytes 7-9/10', 3, true],
    ['bytes=-30', 'bytes 0-9/10', 10, true],
    ['bytes=5-', 'bytes 5-9/*', 5, true],
    ['bytes=-3', 'bytes 7-9/*', 3, true],
    ['bytes=-3', 'bytes 6-9/*', 4, false],
    ['bytes=5-', 'bytes 0-9/10', 10, false],
    ['bytes=5-7', 'bytes 5-9/10', 5, false],
    ['bytes=5-7', 'bytes 4-7/10', 4, false],
    ['bytes=-3', 'bytes 6-9/10', 4, false],
    ['bytes=5-', 'bytes 5-9/10', 4, false],
    ['bytes=5-', 'bytes 5-10/10', 6, false],
    ['bytes=5-', 'bytes 9-5/10', undefined, false],
    ['bytes=5-', 'bytes */10', undefined, false],
    ['bytes=5-', 'items 5-9/10', undefined, false],
    ['bytes=5-', undefined, 5, false],
    ['items=5-', 'bytes 5-9/10', 5, false],
    ['bytes=1-2,4-5', 'bytes 1-2/10', 2, false],
  ];
  for (const [asked, header, length, expected] of rows)
    t.equal(answersRange(asked, header, length), expected, `${asked} ${header} ${length}`);
});
