import fc from 'fast-check';
import t from 'tap';
import { signedPayload } from '../../src/oci/schema1.ts';

/** A schema 1 manifest as docker-registry 2.8 sends it: the signatures are put in before the last bracket. */
function signed(
  payload: string,
  protectedHeader: object | string = { formatLength: payload.length - 2, formatTail: '\n}' },
): Buffer {
  const header =
    typeof protectedHeader === 'string'
      ? protectedHeader
      : base64url(JSON.stringify({ ...protectedHeader, formatTail: base64url(tailOf(protectedHeader)) }));
  return Buffer.from(`${payload.slice(0, -2)},\n   "signatures": [{"protected": "${header}"}]\n}`);
}

const base64url = (text: string) => Buffer.from(text).toString('base64url');
const tailOf = (header: object) => ('formatTail' in header ? String(header.formatTail) : '');

const PAYLOAD = '{\n   "schemaVersion": 1,\n   "name": "library/app"\n}';

t.test('the payload is what was signed', async (t) => {
  t.equal(signedPayload(signed(PAYLOAD))?.toString(), PAYLOAD);
});

t.test('other documents have none', async (t) => {
  const rows: [string, Buffer][] = [
    ['no JSON', Buffer.from('<html>')],
    ['no object', Buffer.from('[]')],
    ['no signatures', Buffer.from(PAYLOAD)],
    ['signatures that are none', Buffer.from('{"signatures": "x"}')],
    ['no signature', Buffer.from('{"signatures": []}')],
    ['a signature without a header', Buffer.from('{"signatures": [{}]}')],
    ['a header that is no JSON', signed(PAYLOAD, base64url('<'))],
    ['a length that is none', signed(PAYLOAD, { formatLength: 'x' })],
    ['a length that is no integer', signed(PAYLOAD, { formatLength: 1.5 })],
    ['a length below zero', signed(PAYLOAD, { formatLength: -1 })],
    ['a length beyond the document', signed(PAYLOAD, { formatLength: 10_000 })],
    ['no tail', signed(PAYLOAD, base64url('{"formatLength":3}'))],
  ];
  for (const [says, document] of rows) t.equal(signedPayload(document), undefined, says);
});

t.test('property: no document makes it throw', async () => {
  fc.assert(fc.property(fc.json(), (text) => signedPayload(Buffer.from(text)) === undefined));
});
