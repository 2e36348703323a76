import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { until } from '../../helpers/until.ts';

const path = (index: number) => `/v2/app/manifests/v${index}`;

t.test('without another upstream requests are queued, and refused when the queue is full', async (t) => {
  const asked: (() => void)[] = [];
  const odd = await startOddServer(t, (socket) => {
    asked.push(() =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{"schemaVersion":2}'),
    );
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      odd: { urls: [odd.url], probe: { ...RARE_PROBE, timeout: '50ms' }, maxInFlight: { control: 1, queue: 1 } },
    },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
  });
  asked.length = 0;
  const first = edge.http1().ask(path(1));
  await until(() => asked.length === 1, { what: () => 'the first to be asked for' });
  const others = [edge.http1().ask(path(2)), edge.http1().ask(path(3))];
  const refused = await Promise.race(others);
  t.match(refused, { status: 503, complete: true }, 'one of them is refused at once');
  t.ok(Number(refused.headers['retry-after']) > 0, 'and told when to come back');
  t.equal(asked.length, 1, 'the upstream has one request at a time');
  asked[0]?.();
  t.match(await first, { status: 200, complete: true });
  await until(() => asked.length === 2, { what: () => 'the other one to have its turn' });
  asked[1]?.();
  const statuses = (await Promise.all(others)).map(({ status }) => status);
  t.strictSame(statuses.sort(), [200, 503]);
  t.equal(edge.app.status().upstreams[0]?.urls[0]?.inFlight.control, 0);
});
