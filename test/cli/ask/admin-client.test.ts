import t from 'tap';
import { givenAdminUrl } from '../../../src/cli/ask/admin-client.ts';

t.test('the admin listener as it is given by hand', async (t) => {
  t.equal(givenAdminUrl('http://127.0.0.1:9443//'), 'http://127.0.0.1:9443');
  t.throws(() => givenAdminUrl('127.0.0.1:9443'), /^127\.0\.0\.1:9443 is not a URL/);
  for (const [text, message] of [
    ['ann:secret@edge.lan', /^\*\*\*@edge\.lan is not a URL/],
    ['http://ann:secret@edge.lan:99999', /^http:\/\/\*\*\*@edge\.lan:99999 is not a URL/],
    ['http://ann:secret@edge.lan:9443', /^--admin takes no user or password: .* edge\.lan:9443/],
  ] as const) {
    t.throws(() => givenAdminUrl(text), { name: 'UsageError', message });
    t.throws(() => givenAdminUrl(text), { message: /^((?!secret).)*$/ });
  }
});
