import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

const PATHS = [
  '/v2/app/manifests/1',
  `/v2/app/manifests/${sha256('x')}`,
  `/v2/app/blobs/${sha256('x')}`,
  '/v2/app/tags/list',
];
const WORDS = 'You have reached your pull rate limit for inner/app.';

function limits(retryAfter: string, body: string) {
  const head = `HTTP/1.1 429 Too Many Requests\r\n${retryAfter}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return (method: string) => head + (method === 'HEAD' ? '' : body);
}

/** An edge before one or two registries that answer all reads of content in the same way. */
async function startLimited(owner: Owner, ...answers: ((method: string) => string)[]) {
  const servers = await Promise.all(
    answers.map((answer) => startOddServer(owner, (socket, head) => socket.write(answer(head.split(' ', 1)[0] ?? '')))),
  );
  const names = servers.map((_, index) => `r${index}`);
  return startEdgeInProcess(owner, {
    upstreams: Object.fromEntries(
      names.map((name, index) => [name, { urls: [servers[index]?.url], probe: RARE_PROBE }]),
    ),
    routes: [{ prefix: '', pull: names.map((upstream) => ({ upstream, prefix: 'inner/' })) }],
  });
}

t.test('the limit of the only upstream reaches the client, with its time and its words', async (t) => {
  const error = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: WORDS }] });
  const edge = await startLimited(t, limits('Retry-After: 3600\r\n', error));
  for (const client of [edge.http1(), edge.http2()])
    for (const path of PATHS)
      for (const method of ['GET', 'HEAD']) {
        if (method === 'HEAD' && path.endsWith('list')) continue;
        const reply = await client.ask(path, { method });
        t.match(reply, { status: 429, headers: { 'retry-after': '3600' } }, `${client.version} ${method} ${path}`);
        const told = method === 'HEAD' ? '' : WORDS.replace('inner/app', 'app');
        t.match(reply.body.toString(), told, 'in the names of the client');
      }
});

t.test('a limit without a time, or words', async (t) => {
  const edge = await startLimited(t, limits('', 'slow down'));
  const reply = await edge.http1().ask('/v2/app/manifests/1');
  t.match(reply, { status: 429, headers: { 'retry-after': '5' } });
  t.match(reply.body.toString(), /app:1 cannot be served now: r0 is rate-limited; try again/);
});

t.test('two that limit: the client comes back when the first one may serve again', async (t) => {
  const edge = await startLimited(t, limits('Retry-After: 90\r\n', ''), limits('Retry-After: 30\r\n', ''));
  const reply = await edge.http1().ask('/v2/app/manifests/1');
  t.match(reply, { status: 429, headers: { 'retry-after': '30' } });
});
