import fc from 'fast-check';
import t from 'tap';
import { type ByteRange, parseRanges } from '../../src/oci/range.ts';
import { firstRange, MAX_PARTS, planReads, type Span } from '../../src/oci/several-ranges.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const GAP = 65_536;

function rangesOf(set: string): ByteRange[] {
  const ranges = parseRanges(`bytes=${set}`);
  if (!Array.isArray(ranges)) throw new Error(`${set} is no set of ranges`);
  return ranges;
}

const show = ({ first, last }: Partial<ByteRange>) => `${first ?? ''}-${last ?? ''}`;

/** `0-9: 0-1 5-9`: a read and its parts. */
function reads(set: string, total: number): string | undefined {
  const groups = planReads(rangesOf(set), total);
  return groups?.map((group) => `${show(group)}: ${group.parts.map(show).join(' ')}`).join(' | ');
}

t.test('the reads that bring several parts', async (t) => {
  const rows: [string, number, string | undefined][] = [
    ['0-9,20-29', 100, '0-29: 0-9 20-29'],
    ['0-9,10-19', 100, '0-19: 0-9 10-19'],
    [`0-9,${9 + GAP}-${9 + GAP}`, 100_000, `0-${9 + GAP}: 0-9 ${9 + GAP}-${9 + GAP}`],
    [`0-9,${10 + GAP}-${10 + GAP}`, 100_000, `0-9: 0-9 | ${10 + GAP}-${10 + GAP}: ${10 + GAP}-${10 + GAP}`],
    ['0-9,20-', 100, '0-99: 0-9 20-99'],
    ['0-9,20-999', 100, '0-99: 0-9 20-99'],
    ['0-9,-5', 100, '0-99: 0-9 95-99'],
    // Ranges beyond the end are left out, and suffixes longer than the blob are all of it.
    ['0-9,100-109', 100, '0-9: 0-9'],
    ['100-109,0-9', 100, '0-9: 0-9'],
    ['99-,-1000', 100, undefined],
    ['-1000,200-', 100, '0-99: 0-99'],
    ['100-,200-300', 100, ''],
    // The order of the request is that of the parts.
    ['50-59,0-9', 100, '50-59: 50-59 | 0-9: 0-9'],
    ['0-9,0-9', 100, '0-9: 0-9 | 0-9: 0-9'],
    ['0-19,10-29,40-49', 100, '0-19: 0-19 | 10-49: 10-29 40-49'],
    // Together no more bytes than the blob has.
    ['0-49,50-99', 100, '0-99: 0-49 50-99'],
    ['0-49,0-49', 100, '0-49: 0-49 | 0-49: 0-49'],
    ['0-49,0-50', 100, undefined],
    ['0-,0-', 100, undefined],
    ['0-99,-1', 100, undefined],
  ];
  for (const [set, total, expected] of rows) t.equal(reads(set, total), expected, `${set} of ${total}`);
});

t.test('ranges in any order need few more reads than those in order', async (t) => {
  const set = (count: number, from: (index: number) => number) =>
    Array.from({ length: count }, (_, index) => ({ first: from(index), last: from(index) }));
  const backwards = (count: number, by = 1) => set(count, (index) => (count - index) * by);
  const rows: [string, ByteRange[], number, number | undefined][] = [
    ['backwards', backwards(16), 1000, 16],
    ['many backwards', backwards(17), 1000, undefined],
    ['many backwards, of a longer blob', backwards(17), GAP, 17],
    ['the same byte', set(17, () => 7), 1000, undefined],
    [
      'as many as podman asks for, in order',
      set(MAX_PARTS, (index) => index * (GAP + 1)),
      MAX_PARTS * GAP * 2,
      MAX_PARTS,
    ],
    ['the same, backwards', backwards(MAX_PARTS, GAP + 1), MAX_PARTS * GAP * 2, MAX_PARTS],
    ['in order in a small blob', set(500, (index) => 2 * index), 1000, 1],
  ];
  for (const [name, ranges, total, expected] of rows) t.equal(planReads(ranges, total)?.length, expected, name);
});

t.test('the range that is asked for first', async (t) => {
  const rows: [string, string][] = [
    ['0-9,20-29', '0-29'],
    ['5-9,20-', '5-'],
    [`5-9,${10 + GAP}-`, '5-9'],
    ['20-29,0-9', '0-0'],
    ['0-19,10-29', '0-19'],
    ['7-,0-9', '0-0'],
    ['0-9,-5', '-1'],
    ['-5,-9', '-1'],
  ];
  for (const [set, expected] of rows) t.equal(show(firstRange(rangesOf(set))), expected, set);
});

const limit = 3 * GAP;
const at = fc.oneof(fc.nat(limit), fc.constantFrom(0, 1, GAP - 1, GAP, GAP + 1, 2 * GAP));
const range: fc.Arbitrary<ByteRange> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(at, at).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })) },
  at.map((first) => ({ first, last: undefined })),
  fc.integer({ min: 1, max: limit }).map((last) => ({ first: undefined, last })),
);
const ranges = fc.oneof(
  fc.array(range, { minLength: 2, maxLength: 12 }),
  // In order and apart, as clients ask.
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: GAP + 2 }), fc.integer({ min: 1, max: 1000 })), {
      minLength: 2,
      maxLength: 12,
    })
    .map((steps) => {
      let offset = 0;
      return steps.map(([gap, length]): ByteRange => {
        offset += gap + length;
        return { first: offset - length, last: offset - 1 };
      });
    }),
);
const total = fc.integer({ min: 1, max: limit + 2000 });

/** What RFC 9110 says that a range has of a blob; undefined: it cannot be satisfied. */
function satisfied({ first, last }: ByteRange, total: number): Span | undefined {
  if (first === undefined) return { first: Math.max(total - (last ?? 0), 0), last: total - 1 };
  return first < total ? { first, last: Math.min(last ?? total - 1, total - 1) } : undefined;
}

t.test('any ranges of any blob', async (t) => {
  fc.assert(
    fc.property(ranges, total, (some, total) => {
      const expected = some.flatMap((one) => satisfied(one, total) ?? []);
      const first = satisfied(firstRange(some), total);
      t.equal(first === undefined, expected.length === 0, 'the first one is in vain only if all are');
      const groups = planReads(some, total);
      const sum = (spans: readonly Span[]) => spans.reduce((bytes, { first, last }) => bytes + last - first + 1, 0);
      if (!groups) {
        t.ok(expected.length > 1, 'the whole is sent in place of several parts');
        return;
      }
      t.strictSame(
        groups.flatMap(({ parts }) => parts),
        expected,
        'a part for each range, in order',
      );
      t.ok(sum(groups) <= total, 'no more is read than the blob has');
      for (const { first, last, parts } of groups) {
        t.strictSame([parts[0]?.first, parts.at(-1)?.last], [first, last], 'nothing around the parts is read');
        for (const [index, part] of parts.slice(1).entries()) {
          const gap = part.first - Number(parts[index]?.last) - 1;
          t.ok(gap >= 0 && gap < GAP, 'parts of a read follow each other closely');
        }
      }
    }),
    { numRuns: propertyRuns(5000) },
  );
});

t.test('any ranges that are in order and apart are parts', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1_000_000), { minLength: 2, maxLength: 2 * MAX_PARTS }),
      fc.integer({ min: 1, max: 1_100_000 }),
      (bounds, total) => {
        const sorted = [...new Set(bounds)].sort((a, b) => a - b);
        const pairs = sorted.flatMap((first, index) =>
          index % 2 === 0 && sorted[index + 1] !== undefined ? [{ first, last: sorted[index + 1] }] : [],
        );
        t.ok(planReads(pairs, total), 'whatever their number is');
      },
    ),
    { numRuns: propertyRuns(300) },
  );
});
