import t from 'tap';
import { multipartFrame } from '../../src/oci/byte-ranges.ts';

t.test('the frame of a multipart body', async (t) => {
  const content = Buffer.from('0123456789');
  const parts = [
    { first: 0, last: 1 },
    { first: 9, last: 9 },
  ];
  const { contentType, headOf, length, tail } = multipartFrame('edge', parts, 10);
  t.equal(contentType, 'multipart/byteranges; boundary=edge');
  const pieces = parts.flatMap((part) => [headOf(part), content.subarray(part.first, part.last + 1)]);
  const body = Buffer.concat([...pieces, tail]);
  t.equal(
    body.toString(),
    [
      '',
      '--edge',
      'Content-Type: application/octet-stream',
      'Content-Range: bytes 0-1/10',
      '',
      '01',
      '--edge',
      'Content-Type: application/octet-stream',
      'Content-Range: bytes 9-9/10',
      '',
      '9',
      '--edge--',
      '',
    ].join('\r\n'),
  );
  t.equal(length, body.length, 'its length is known before');
});
