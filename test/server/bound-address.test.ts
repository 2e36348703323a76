import t from 'tap';
import { listenAddress } from '../../src/server/bound-address.ts';

t.test('splits address and port', async (t) => {
  t.same(listenAddress('0.0.0.0:443'), { host: '0.0.0.0', port: 443 });
  t.same(listenAddress('[::1]:0'), { host: '::1', port: 0 });
  t.same(listenAddress('localhost:8443'), { host: 'localhost', port: 8443 });
});
