import t from 'tap';
import { parseConfig } from '../../../src/config/inspection.ts';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import { hintTargets } from '../../../src/proxy/push/hint-targets.ts';
import { noteHints } from '../../../src/proxy/push/note-hints.ts';
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

t.test('hints go to who acts on them, and into the notes of the request', async (t) => {
  const taken: Hint[] = [];
  const exchange = { notes: {} };
  const hints = { enqueueHints: (some: readonly Hint[]) => void taken.push(...some) };
  const some: Hint[] = [
    { ...hint('inner/app'), upstream: 'harbor' },
    { ...hint('inner/other'), kind: 'delete', upstream: 'harbor' },
  ];
  noteHints(exchange, { hints }, some);
  t.strictSame(taken, some);
  t.strictSame(exchange.notes, {
    hints: { from: 'harbor', push: 1, delete: 1 },
    repository: 'inner/app',
    reference: '1',
  });
  const none = { notes: {} };
  noteHints(none, { hints }, []);
  t.strictSame([none.notes, taken.length], [{}, 2]);
  const pushed = { notes: { repository: 'library/app', reference: 'latest' } };
  noteHints(pushed, { hints: undefined }, some);
  t.match(
    pushed.notes,
    { repository: 'library/app', reference: 'latest', hints: { push: 1 } },
    "the client's own names",
  );
});
