import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { nextPageQuery } from '../../src/oci/link.ts';
import { timeLimit } from '../helpers/time-limit.ts';

t.test('the next page', async (t) => {
  const rows: [string, string | undefined, string | undefined][] = [
    ['none', undefined, undefined],
    ['empty', '', undefined],
    ['relative', '</v2/_catalog?last=a%2Fb&n=2>; rel="next"', 'last=a%2Fb&n=2'],
    ['absolute', '<https://harbor.lan/v2/a/tags/list?n=1&last=x>; rel="next"', 'n=1&last=x'],
    ['without quotes', '</v2/_catalog?n=1>;rel=next', 'n=1'],
    ['in capitals', '</v2/_catalog?n=1>; REL=Next', 'n=1'],
    ['among other parameters', '</x?n=1>; type="a/b"; rel="next"; title=y', 'n=1'],
    ['one of several relations', '</x?n=1>; rel="last next"', 'n=1'],
    ['the second of two links', '</x?n=1>; rel="prev", </x?n=3>; rel="next"', 'n=3'],
    ['the first of two links', '</x?n=1>; rel="next", </x?n=3>; rel="prev"', 'n=1'],
    ['no query', '</x>; rel="next"', ''],
    ['a question mark in the query', '</x?last=a?b&n=1>; rel="next"', 'last=a%3Fb&n=1'],
    ['a fragment', '</x?n=1#top>; rel="next"', 'n=1'],
    ['a comma in the address', '</x?last=a,b>; rel="next"', 'last=a%2Cb'],
    ['another relation', '</x?n=1>; rel="prev"', undefined],
    ['a relation that only begins so', '</x?n=1>; rel="next-archive"', undefined],
    ['the same without quotes', '</x?n=1>; rel=nextpage', undefined],
    ['a title that says so', '</x?n=1>; title="; rel=next"', undefined],
    ['a title that says so beside another relation', '</x?n=1>; title="; rel=next"; rel=prev', undefined],
    ['the relation of the link before', '</x?n=1>; rel="prev"; x="next"', undefined],
    ['not in brackets', '/x?n=1; rel="next"', undefined],
    ['nothing in the brackets', '<>; rel="next"', undefined],
    ['broken', '</x?n=1; rel="next"', undefined],
    ['a quote that never ends', '</x?n=1>; title="a; rel=next', undefined],
  ];
  for (const [name, header, expected] of rows) t.equal(nextPageQuery(header)?.toString(), expected, name);
});

t.test('property: what a registry writes is read back', async () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), (last, n) => {
      const query = new URLSearchParams({ last, n: String(n) });
      const read = nextPageQuery(`</v2/_catalog?${query}>; rel="next"`);
      assert.equal(read?.toString(), query.toString());
    }),
  );
});

t.test('64 KiB of anything take no time', async (t) => {
  for (const unit of [
    '<',
    '>',
    ';',
    '<a>',
    '<a>;',
    '<a>; rel',
    '<a>;rel="',
    ' ',
    '; rel=',
    '<a>; a="\\',
    '<a>;b="\\"',
    '";',
    '<a> ;',
    `<${'a'.repeat(4000)}`,
  ]) {
    const started = performance.now();
    nextPageQuery(unit.repeat(Math.ceil(65_536 / unit.length)));
    nextPageQuery(`<a>${unit.repeat(Math.ceil(65_536 / unit.length))}`);
    t.ok(
      performance.now() - started < timeLimit(150),
      `${JSON.stringify(unit.slice(0, 12))}… in ${Math.round(performance.now() - started)} ms`,
    );
  }
});
