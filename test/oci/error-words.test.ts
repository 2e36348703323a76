import fc from 'fast-check';
import t from 'tap';
import { absence } from '../../src/oci/error.ts';
import { errorWords } from '../../src/oci/error-words.ts';

const body = (value: unknown) => Buffer.from(JSON.stringify(value));

t.test('the words of an error, bounded and printable', async (t) => {
  const rows: [string, Buffer, unknown][] = [
    [
      'the first of several',
      body({ errors: [{ code: 'NOT_FOUND', message: 'gone', detail: '/storage/x' }, { code: 'OTHER' }] }),
      { code: 'NOT_FOUND', message: 'gone' },
    ],
    ['a code alone', body({ errors: [{ code: 'NOT_FOUND' }] }), { code: 'NOT_FOUND' }],
    ['a message alone', body({ errors: [{ message: 'gone' }] }), { message: 'gone' }],
    ['a code that is none', body({ errors: [{ code: 'a b', message: 'gone' }] }), { message: 'gone' }],
    ['a code that is a number', body({ errors: [{ code: 404, message: 7 }] }), undefined],
    ['control characters', body({ errors: [{ message: ' a\r\nb\u001b[31m\u202ec ' }] }), { message: 'a b [31m c' }],
    ['a blank message', body({ errors: [{ message: '\u0007' }] }), undefined],
    ['a long one', body({ errors: [{ message: 'é'.repeat(600) }] }), { message: 'é'.repeat(512) }],
    ['no errors', body({ errors: [] }), undefined],
    ['errors that are none', body({ errors: 'x' }), undefined],
    ['no object', body([1]), undefined],
    ['a web page', Buffer.from('<html>404</html>'), undefined],
    ['nothing', Buffer.alloc(0), undefined],
  ];
  for (const [says, given, expected] of rows) t.strictSame(errorWords(given), expected, says);
});

t.test('an absence in these words', async (t) => {
  const plain = absence('BLOB_UNKNOWN');
  t.match(JSON.parse(plain.body()).errors, [{ code: 'BLOB_UNKNOWN', message: 'blob unknown to registry' }]);
  const told = absence('MANIFEST_UNKNOWN', { code: 'NOT_FOUND', message: 'gone' });
  t.match(told, { status: 404, code: 'MANIFEST_UNKNOWN', message: 'gone' });
  t.match(JSON.parse(told.body()).errors, [{ code: 'NOT_FOUND', message: 'gone' }]);
});

t.test('property: the message never has a control character, and never is long', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (message) => {
      const shown = errorWords(body({ errors: [{ message }] }))?.message ?? 'x';
      return shown.length <= 512 && shown.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(shown);
    }),
  );
});
