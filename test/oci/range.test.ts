import fc from 'fast-check';
import t from 'tap';
import { parseContentRange, parseRange } from '../../src/oci/range.ts';

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
    ['bytes=a-b', 'invalid'],
    ['bytes=0x1-5', 'invalid'],
    ['bytes=1.5-2', 'invalid'],
    ['bytes=+1-2', 'invalid'],
    ['bytes=--1', 'invalid'],
    ['bytes=1-2-3', 'invalid'],
    ['bytes=0-1,3-4', 'invalid'],
    ['bytes=0-1,', 'invalid'],
    ['bytes=x bytes=0-1', 'invalid'],
    ['bytes=1000000000000000-', 'invalid'],
    ['bytes', undefined],
  ];
  for (const [header, expected] of rows) t.strictSame(parseRange(header), expected, JSON.stringify(header));
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
      const nonsense =
        (first === undefined && last === undefined) || (first !== undefined && last !== undefined && last < first);
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
