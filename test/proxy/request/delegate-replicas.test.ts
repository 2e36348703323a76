import t from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { basic, bearer } from '../../helpers/forward-site.ts';

const USERS = [{ username: 'ann', password: 'x' }];

t.test('a login is asked about at another URL when the first does not answer, before probes know', async (t) => {
  const [first, second] = await Promise.all([
    startLabRegistry({ auth: { scheme: 'bearer', users: USERS } }),
    startLabRegistry({ auth: { scheme: 'bearer', users: USERS } }),
  ]);
  t.teardown(() => Promise.all([first.close(), second.close()]));
  for (const registry of [first, second]) registry.seed('library/app', '1', { blobs: [100] });
  const edge = await startEdgeInProcess(t, {
    auth: { mode: 'delegate', remember: '0s' },
    upstreams: {
      harbor: {
        urls: [first.url, second.url],
        credentials: 'forward',
        probe: RARE_PROBE,
        deadlines: { manifest: '500ms' },
      },
    },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
  });
  const client = edge.http1();
  const login = (password: string) =>
    client.ask('/auth/token?service=edge.test&scope=repository:library/app:pull', {
      headers: { authorization: basic('ann', password) },
    });
  t.equal((await login('x')).status, 200);
  for (const fault of ['down', 'frozen'] as const) {
    await first.faults.on(fault);
    const token = await login('x');
    t.equal(token.status, 200, fault);
    t.equal((await login('wrong')).status, 401, `${fault}: a wrong password is known to be wrong`);
    t.ok(bearer(token).length > 100);
    await first.faults.off(fault);
  }
  await first.faults.on('down');
  await second.faults.on('down');
  t.equal((await login('x')).status, 503, 'no replica is left');
});
