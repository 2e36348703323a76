import t from 'tap';
import { parseSecrets } from '../../src/config/material-reader.ts';

const ONE = 'a'.repeat(32);
const TWO = 'b'.repeat(40);

t.test('a key file: one secret, or one a line', async (t) => {
  const rows: [string, string, string[]][] = [
    ['one', ONE, [ONE]],
    ['with a line end', `${ONE}\n`, [ONE]],
    ['two', `${ONE}\n${TWO}\n`, [ONE, TWO]],
    ['with blank lines and CR', `\r\n${ONE}\r\n\r\n${TWO}\r\n`, [ONE, TWO]],
    ['base64 broken into lines, the last of which is short', `${ONE}\nYWJj\n`, [`${ONE}\nYWJj`]],
  ];
  for (const [name, content, secrets] of rows)
    t.strictSame(
      parseSecrets(Buffer.from(content)).map((secret) => secret.toString('latin1')),
      secrets,
      name,
    );
  const binary = Buffer.from(Array.from({ length: 64 }, (_, index) => index * 3));
  t.strictSame(parseSecrets(binary), [binary], 'what is no text is one as it is');
});
