import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { codeOf, startLabSite } from '../../helpers/lab-site.ts';
import { type FrontRule, RegistryFront } from '../../helpers/registry-front.ts';
import { until } from '../../helpers/until.ts';

// docker-registry with `readonly` answers 405 to every write. 405 is also the answer to one client, repository or method.

const OWN = /^\/v2\/library\/app\/blobs\/uploads\/$/;
const UPLOADS = '/v2/team/new/blobs/uploads/';

function refuse(response: ServerResponse): 'answered' {
  response.writeHead(405, { allow: 'GET, HEAD', 'content-type': 'text/plain' }).end('405');
  return 'answered';
}

/** An edge before a registry in front of which `refuses` decides what is answered 405. */
async function start(t: Parameters<typeof startLabSite>[0], credentials: object | string = 'none') {
  const site = await startLabSite(t);
  const state = { refuses: (_method: string, _path: string) => false, own: [] as string[] };
  const rule: FrontRule = async (request, response) => {
    const { method = '', url = '' } = request;
    if (OWN.test(url) || (method === 'DELETE' && url.includes('/library/app/blobs/uploads/')))
      state.own.push(`${method} ${response.statusCode}`);
    return state.refuses(method, url) ? refuse(response) : 'pass';
  };
  const front = await new RegistryFront(t, rule).listen();
  front.before(`127.0.0.1:${site.primary.port}`);
  site.primary.seed('library/app', '1', { blobs: [100] });
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      harbor: { urls: [`http://${front.address}`], credentials, probe: { ...PROBE, canary: 'library/app:1' } },
    },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
  });
  await edge.upstream('harbor', 'up');
  return { edge, state, client: edge.http1() };
}

const isWrite = (method: string) => !['GET', 'HEAD'].includes(method);

t.test('a registry that takes no uploads closes the gate, with words, until it takes one', async (t) => {
  const { edge, state, client } = await start(t);
  state.refuses = isWrite;
  const refused = await client.ask(UPLOADS, { method: 'POST' });
  t.match(refused, { status: 403 });
  t.equal(codeOf(refused), 'DENIED');
  t.match(
    refused.body.toString(),
    /pushes are refused since .*: harbor cannot take them \(it is read-only\); pulls keep working/,
  );
  const pushes = () => edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.pushes;
  t.match(pushes(), { mode: 'refusing' });
  const asked = state.own.length;
  t.match(await edge.http2().ask('/v2/other/new/blobs/uploads/', { method: 'POST' }), { status: 403 });
  t.equal(state.own.length, asked, 'the registry is not asked for it');
  t.match(await client.ask('/v2/library/app/manifests/1'), { status: 200 }, 'pulls go on');
  state.refuses = () => false;
  await until(() => pushes()?.mode === 'accepting', { timeout: 15_000, what: () => 'pushes again' });
  t.match(await client.ask(UPLOADS, { method: 'POST' }), { status: 202 });
  t.match(state.own.at(-1), /^DELETE/, 'its own session is cancelled');
});

t.test('what is refused to one client, for one repository or by one method', async (t) => {
  const { edge, state, client } = await start(t);
  const digest = `sha256:${randomBytes(32).toString('hex')}`;
  const cases: [string, (method: string, path: string) => boolean, string, object][] = [
    ['one repository', (method, path) => method === 'POST' && path.includes('/team/'), UPLOADS, { method: 'POST' }],
    ['a DELETE', (method) => method === 'DELETE', `/v2/library/app/manifests/${digest}`, { method: 'DELETE' }],
    ['a manifest', (method) => method === 'PUT', '/v2/team/new/manifests/1', { method: 'PUT', body: '{}' }],
    [
      'a mount',
      (_, path) => path.includes('mount='),
      `${UPLOADS}?mount=${digest}&from=library/app`,
      { method: 'POST' },
    ],
  ];
  for (const [what, refuses, path, ask] of cases) {
    state.refuses = refuses;
    t.match(await client.ask(path, ask), { status: 405 }, `${what}: its own answer`);
    t.match(await edge.http1().ask('/v2/other/new/blobs/uploads/', { method: 'POST' }), { status: 202 }, what);
  }
  t.strictSame(
    [...new Set(state.own.map((line) => line.split(' ')[0]))],
    ['POST', 'DELETE'],
    'one own upload was tried',
  );
});

t.test('without credentials of its own, a client gets the answer of the registry', async (t) => {
  const { state, client } = await start(t, 'forward');
  state.refuses = isWrite;
  for (let again = 0; again < 5; again += 1) t.match(await client.ask(UPLOADS, { method: 'POST' }), { status: 405 });
  t.strictSame(state.own, []);
  state.refuses = () => false;
  t.match(await client.ask(UPLOADS, { method: 'POST' }), { status: 202 }, 'each start is its own test');
});
