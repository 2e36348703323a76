import t from 'tap';
import { parseConfig } from '../../../src/config/inspection.ts';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import { hintTargets } from '../../../src/proxy/endpoints/hook.ts';
import { noteHints } from '../../../src/proxy/push/note-push.ts';
import type { Hint } from '../../../src/replication/hint.ts';

const upstream = { urls: ['https://a.lan'] };
const { config } = parseConfig({
  hostname: 'cr.example.io',
  tls: { certFile: 'a', keyFile: 'b' },
  upstreams: { harbor: upstream, quay: upstream, gcr: upstream },
  routes: [
    {
      prefix: 'library/',
      push: 'harbor',
      pull: [
        { upstream: 'harbor', prefix: 'inner/' },
        { upstream: 'gcr', replicate: true },
      ],
    },
    { prefix: 'library/own/', push: 'quay', pull: [{ upstream: 'quay' }] },
    {
      prefix: 'tools/',
      push: 'quay',
      pull: [
        { upstream: 'quay', prefix: 'inner/' },
        { upstream: 'gcr', replicate: true },
      ],
    },
    { prefix: 'kept/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] },
    {
      prefix: 'mirror/',
      registry: 'quay.io',
      push: 'harbor',
      pull: [
        { upstream: 'harbor', prefix: 'inner/two/' },
        { upstream: 'gcr', replicate: true },
      ],
    },
    { prefix: 'hub/', registry: 'docker.io', push: 'harbor', pull: [{ upstream: 'gcr', replicate: true }] },
  ],
});
const routes = config.routes.map(resolveRoute);
const hint = (repository: string): Hint => ({ repository, reference: '1', kind: 'push', from: 'harbor' });

t.test('a hint is of each push upstream whose repositories of that name are copied', async (t) => {
  const cases: [repository: string, upstreams: string[]][] = [
    ['inner/app', ['harbor', 'quay']],
    // On harbor another route takes that name.
    ['inner/own/app', ['quay']],
    // Two routes of harbor's show it.
    ['inner/two/app', ['harbor', 'quay']],
    ['library/app', []],
    ['kept/app', []],
    ['hub/app', ['harbor']],
    ['inner', []],
    ['else', []],
  ];
  for (const [repository, upstreams] of cases)
    t.strictSame(
      hintTargets(routes, [hint(repository)]),
      upstreams.map((upstream) => ({ ...hint(repository), upstream })),
      repository,
    );
});

t.test('replication gets the hints, and the request notes them', async (t) => {
  const taken: Hint[] = [];
  const hints = { enqueueHints: (some: readonly Hint[]) => void taken.push(...some) };
  const some: Hint[] = [
    { ...hint('inner/app'), upstream: 'harbor' },
    { ...hint('inner/other'), kind: 'delete', upstream: 'harbor' },
  ];
  const exchange = { notes: { fetch: {} } };
  noteHints(exchange, { hints }, some);
  t.strictSame(taken, some);
  t.strictSame(exchange.notes.fetch, {
    hints: { from: 'harbor', push: 1, delete: 1 },
    hinted: { repository: 'inner/app', reference: '1' },
  });
  const none = { notes: { fetch: {} } };
  noteHints(none, { hints }, []);
  t.strictSame([none.notes.fetch, taken.length], [{}, 2]);
});
