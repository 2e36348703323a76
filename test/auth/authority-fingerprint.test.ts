import t from 'tap';
import { AuthorityFingerprint } from '../../src/auth/authority-fingerprint.ts';

t.test('one URL in common is enough, however it is written', async (t) => {
  const one = new AuthorityFingerprint(['https://a.lan', 'https://b.lan/base/']);
  t.ok(one.matches(one.text));
  for (const urls of [['https://A.lan/'], ['https://b.lan/base'], ['https://c.lan', 'https://a.lan:443']])
    t.ok(one.matches(new AuthorityFingerprint(urls).text), urls.join());
});

t.test('nothing else stands for it', async (t) => {
  const one = new AuthorityFingerprint(['https://a.lan']);
  for (const urls of [['https://b.lan'], ['http://a.lan'], ['https://a.lan/base'], []])
    t.notOk(one.matches(new AuthorityFingerprint(urls).text), urls.join());
  for (const text of ['', 'delegated', 'delegated ', `break-glass ${one.text}`, one.text.replace('delegated ', '')])
    t.notOk(one.matches(text), text);
});
