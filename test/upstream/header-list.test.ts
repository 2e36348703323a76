import t from 'tap';
import { HeaderList } from '../../src/upstream/header-list.ts';

t.test('names in any case, order and repetition kept', async (t) => {
  const headers = HeaderList.fromRaw(['Link', 'a', 'X-B', Buffer.from([0xe9]), 'LINK', 'b', 'odd']);
  t.strictSame(
    [...headers],
    [
      ['link', 'a'],
      ['x-b', '\u00e9'],
      ['link', 'b'],
    ],
  );
  t.equal(headers.get('link'), 'a');
  t.equal(headers.joined('link'), 'a, b');
  t.equal(headers.get('none'), undefined);
  t.equal(headers.joined('none'), undefined);
});

t.test('Content-Length', async (t) => {
  const rows: [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['0', 0],
    ['123456789012345', 123_456_789_012_345],
    ['1234567890123456', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['5, 5', undefined],
  ];
  for (const [value, expected] of rows) {
    const headers = new HeaderList(value === undefined ? [] : [['Content-Length', value]]);
    t.equal(headers.contentLength(), expected, String(value));
  }
});
