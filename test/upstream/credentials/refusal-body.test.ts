import t from 'tap';
import { Client } from '../../../src/upstream/client.ts';
import { fetchToken } from '../../../src/upstream/credentials/token-service.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

t.test('a token service that refuses has refused, whether its body arrives or not', async (t) => {
  for (const ending of ['closed', 'reset', 'held']) {
    const odd = await startOddServer(t, (socket) => {
      socket.write('HTTP/1.1 401 X\r\nContent-Length: 100\r\n\r\n0123456789');
      if (ending === 'closed') setImmediate(() => socket.end());
      if (ending === 'reset') setImmediate(() => socket.resetAndDestroy());
    });
    const url = new URL(odd.url);
    const client = new Client(url, { ca: undefined, connectMs: 2000, connections: 1, resolver: new Resolver() });
    t.teardown(() => client.destroy());
    await t.rejects(
      fetchToken(client, url, { username: 'x', password: 'y' }, timeLimit(2000)),
      { message: /answers 401/ },
      ending,
    );
  }
});
