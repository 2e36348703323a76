import t from 'tap';
import { registryIdentity } from '../../src/upstream/upstream.ts';

t.test('a registry is what its URLs lead to, in whatever order and spelling', async (t) => {
  const identity = registryIdentity(['https://a.lan', 'https://b.lan/base']);
  t.match(identity, /^[\w-]{22}$/);
  t.equal(registryIdentity(['https://B.lan:443/base/', 'https://a.lan/']), identity);
  for (const other of [
    ['https://a.lan'],
    ['https://a.lan', 'https://b.lan/other'],
    ['http://a.lan', 'https://b.lan/base'],
  ])
    t.not(registryIdentity(other), identity);
});
