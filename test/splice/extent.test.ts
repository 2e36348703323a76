import t from 'tap';
import type { ContentRange } from '../../src/oci/range.ts';
import { extentOf, MAX_SKIP_BYTES, resumeObstacle } from '../../src/splice/extent.ts';
import { HeaderList } from '../../src/upstream/header-list.ts';

type Fields = Record<string, string | undefined>;

const head = (status: number, fields: Fields) => ({
  status,
  headers: new HeaderList(
    Object.entries(fields).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])),
  ),
});
const whole = (length: number, more: Fields = {}) => head(200, { 'Content-Length': String(length), ...more });
const part = (range: string, more: Fields = {}) => head(206, { 'Content-Range': `bytes ${range}`, ...more });

const EXTENTS: [says: string, answer: ReturnType<typeof head>, extent: ContentRange | undefined][] = [
  ['the whole', whole(100), { first: 0, last: 99, total: 100 }],
  ['one byte', whole(1), { first: 0, last: 0, total: 1 }],
  ['nothing', whole(0), undefined],
  ['a length that is none', head(200, { 'content-length': '1e3' }), undefined],
  ['chunks', head(200, { 'transfer-encoding': 'chunked' }), undefined],
  ['the whole, encoded', whole(100, { 'Content-Encoding': 'gzip' }), undefined],
  ['the whole, encoded as it is', whole(100, { 'content-encoding': 'Identity' }), { first: 0, last: 99, total: 100 }],
  ['a part', part('10-19/100', { 'content-length': '10' }), { first: 10, last: 19, total: 100 }],
  ['a part in chunks', part('10-19/100'), { first: 10, last: 19, total: 100 }],
  ['a part of another length', part('10-19/100', { 'content-length': '11' }), undefined],
  ['a part, encoded', part('10-19/100', { 'content-encoding': 'gzip' }), undefined],
  ['a part of who knows how much', part('10-19/*', { 'content-length': '10' }), undefined],
  ['a part beyond the end', part('10-100/100', { 'content-length': '91' }), undefined],
  ['a part that ends before it begins', part('19-10/100'), undefined],
  ['a part without its place', head(206, { 'content-length': '10' }), undefined],
  [
    'several parts',
    head(206, { 'content-type': 'multipart/byteranges; boundary=x', 'content-length': '99' }),
    undefined,
  ],
  ['another good status', head(203, { 'content-length': '100' }), undefined],
  ['an error', head(404, { 'content-length': '100' }), undefined],
];

t.test('which bytes an answer brings', async (t) => {
  for (const [says, answer, extent] of EXTENTS) t.strictSame(extentOf(answer), extent, says);
});

const ALL: ContentRange = { first: 0, last: 99, total: 100 };
const MIDDLE: ContentRange = { first: 20, last: 79, total: 100 };
const BIG = MAX_SKIP_BYTES + 1000;
const HUGE: ContentRange = { first: 0, last: BIG - 1, total: BIG };

const BEGINNINGS: [
  says: string,
  answer: ReturnType<typeof head>,
  extent: ContentRange,
  from: number,
  begins: number | RegExp,
][] = [
  ['what was asked for', part('40-99/100'), ALL, 40, 40],
  ['the last byte', part('99-99/100'), ALL, 99, 99],
  ['from the start, as a part', part('0-99/100'), ALL, 0, 0],
  ['from the start, as the whole', whole(100), ALL, 0, 0],
  ['the whole instead', whole(100), ALL, 40, 0],
  ['an earlier beginning', part('32-99/100'), ALL, 40, 32],
  ['a later beginning', part('41-99/100'), ALL, 40, /begins at byte 41/],
  ['an early end', part('40-98/100'), ALL, 40, /ends at byte 98/],
  ['another total', part('40-99/101'), ALL, 40, /has 101 bytes instead of 100/],
  ['another length of the whole', whole(99), ALL, 40, /has 99 bytes instead of 100/],
  ['up to the end of what the client asked for', part('40-79/100'), MIDDLE, 40, 40],
  ['more than the client asked for', part('40-99/100'), MIDDLE, 40, 40],
  ['less than the client asked for', part('40-78/100'), MIDDLE, 40, /ends at byte 78/],
  ['the whole instead of a part', whole(100), MIDDLE, 40, 0],
  ['no place', head(206, { 'content-length': '60' }), ALL, 40, /status 206. does not say/],
  ['nothing to send', head(204, {}), ALL, 40, /status 204. does not say/],
  ['not modified', head(304, { 'content-length': '100' }), ALL, 40, /status 304. does not say/],
  ['the whole, encoded', whole(100, { 'content-encoding': 'zstd' }), ALL, 40, /status 200. does not say/],
  ['as many bytes in vain as may be', whole(BIG), HUGE, MAX_SKIP_BYTES, 0],
  ['one more', whole(BIG), HUGE, MAX_SKIP_BYTES + 1, /ignores ranges, and 268435457 bytes are too many/],
  ['far less in vain', part(`1000-${BIG - 1}/${BIG}`), HUGE, MAX_SKIP_BYTES + 1000, 1000],
];

t.test('where an answer begins that may go on', async (t) => {
  for (const [says, answer, extent, from, begins] of BEGINNINGS) {
    const found = resumeObstacle(answer, extent, from);
    if (typeof begins === 'number') t.strictSame([found, extentOf(answer)?.first], [undefined, begins], says);
    else t.match(found, begins, says);
  }
});
