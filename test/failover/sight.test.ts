import t from 'tap';
import { coversSight, gapsOf, type Seen, sightOf, type UpstreamSight } from '../../src/failover/sight.ts';
import type { ReplicaView, UpstreamView } from '../../src/failover/view.ts';
import { replica, upstream } from './made-view.ts';

const NOW = 1_000_000;

/** An upstream with one URL whose last probe ended at `NOW`. */
function view(over: Partial<UpstreamView> = {}, ...urls: Partial<ReplicaView>[]): UpstreamView {
  const replicas = (urls.length > 0 ? urls : [{}]).map((url) =>
    replica('https://harbor', { lastProbeAt: NOW, goodProbeAt: NOW, probeMs: 10, ...url }),
  );
  return upstream('harbor', { since: 5, gate: { mode: 'accepting', since: 7, reason: '' }, ...over, replicas });
}

t.test('what an edge sees of an upstream', async (t) => {
  const bad = { state: 'down', goodProbeAt: NOW - 100 } as const;
  const refusing = { mode: 'refusing', since: 7, reason: '' } as const;
  const open = { control: 'closed', data: 'open', push: 'closed', passthrough: 'closed' } as const;
  const rows: [string, UpstreamView, Seen, Seen][] = [
    ['up', view(), 'yes', 'yes'],
    ['not probed yet', view({ state: 'unknown', gate: refusing }), 'unknown', 'unknown'],
    ['down', view({ state: 'down', gate: refusing }, bad), 'no', 'no'],
    [
      'down, and its last probe was good',
      view({ state: 'down', gate: refusing }, { state: 'down' }),
      'unknown',
      'unknown',
    ],
    [
      'down, never seen up',
      view({ state: 'down', gate: refusing }, { state: 'down', goodProbeAt: undefined }),
      'no',
      'no',
    ],
    ['one of its URLs recovers', view({ state: 'down', gate: refusing }, bad, { state: 'down' }), 'unknown', 'unknown'],
    ['one of its URLs is down', view({}, bad, {}), 'yes', 'yes'],
    ['requests fail there', view({}, { breakers: open }), 'unknown', 'yes'],
    ['just back', view({ gate: { ...refusing, mode: 'settling' } }), 'yes', 'unknown'],
    ['a Harbor that is read-only', view({ kind: 'harbor', readOnly: true, gate: refusing }), 'yes', 'no'],
    ['a registry that refused an upload', view({ kind: 'registry', readOnly: true, gate: refusing }), 'yes', 'unknown'],
    ['writes fail there', view({ kind: 'harbor', readOnly: false, gate: refusing }), 'yes', 'unknown'],
  ];
  for (const [name, given, pulls, pushes] of rows) {
    t.match(sightOf('id', given, true), { id: 'id', pulls, pushes, pullsSince: 5, pushesSince: 7 }, name);
    t.match(sightOf('id', given, false), { pulls, pushes: 'none' }, `${name}, and nothing is pushed there`);
  }
});

t.test('the times of its probes', async (t) => {
  const times = (...urls: Partial<ReplicaView>[]) => {
    const { goodAt, probedAt } = sightOf('id', view({}, ...urls), true);
    return [goodAt, probedAt];
  };
  t.same(times({}), [NOW, NOW - 10]);
  t.same(
    times({ goodProbeAt: 3, lastProbeAt: 50 }, { goodProbeAt: 4, lastProbeAt: 40 }),
    [4, 30],
    'the URL probed longest ago',
  );
  t.same(times({ goodProbeAt: undefined, lastProbeAt: undefined, probeMs: undefined }), [undefined, undefined]);
});

function sight(over: Partial<UpstreamSight> = {}): UpstreamSight {
  return {
    id: 'harbor',
    pulls: 'yes',
    pullsSince: 0,
    pushes: 'yes',
    pushesSince: 0,
    goodAt: 100,
    probedAt: 100,
    ...over,
  };
}
const LOST = { pulls: 'no', pullsSince: 50, pushes: 'no', pushesSince: 50, goodAt: 40 } as const;

t.test('another edge sees more', async (t) => {
  const gap = { id: 'harbor', pulls: true, pushes: true };
  t.same(gapsOf([sight(LOST)], [sight()]), [gap]);
  t.same(gapsOf([sight({ pushes: 'no', pushesSince: 50 })], [sight()]), [{ ...gap, pulls: false }]);
  t.same(gapsOf([sight({ ...LOST, pushes: 'none' })], [sight({ pushes: 'none' })]), [{ ...gap, pushes: false }]);
});

t.test('where nothing shows that it does', async (t) => {
  const rows: [string, Partial<UpstreamSight>, Partial<UpstreamSight>][] = [
    ['both reach it', {}, {}],
    ['neither does', LOST, LOST],
    ['this edge does not know', { ...LOST, pulls: 'unknown', pushes: 'unknown' }, {}],
    ['that edge does not know', LOST, { pulls: 'unknown', pushes: 'unknown' }],
    ['it has not probed since this edge lost it', LOST, { goodAt: 50 }],
    ['it never probed', LOST, { goodAt: undefined }],
    [
      'this edge has not probed since it came back there',
      { ...LOST, probedAt: 60 },
      { pullsSince: 60, pushesSince: 60 },
    ],
    ['this edge has not probed all', { ...LOST, probedAt: undefined }, {}],
    ['another upstream', LOST, { id: 'gcr' }],
  ];
  for (const [name, mine, theirs] of rows) t.same(gapsOf([sight(mine)], [sight(theirs)]), [], name);
});

t.test('whether another edge sees at least as much', async (t) => {
  const gcr = (over: Partial<UpstreamSight> = {}) => sight({ id: 'gcr', pushes: 'none', ...over });
  const rows: [boolean, string, UpstreamSight[], UpstreamSight[]][] = [
    [true, 'as much', [sight(), gcr()], [gcr(), sight()]],
    [true, 'more', [sight(), gcr()], [sight(LOST), gcr()]],
    [true, 'one upstream more', [sight(), gcr()], [sight()]],
    [true, 'what this edge does not reach may be missing', [sight()], [sight(), gcr({ pulls: 'no' })]],
    [true, 'neither knows', [sight({ pushes: 'unknown' })], [sight({ pushes: 'unknown' })]],
    [false, 'one upstream less', [sight()], [sight(), gcr()]],
    [false, 'more of one and less of another', [sight(), gcr({ pulls: 'no' })], [sight(LOST), gcr()]],
    [false, 'it takes no pushes there', [sight({ pushes: 'no' })], [sight()]],
    [false, 'it does not know', [sight({ pulls: 'unknown' })], [sight()]],
  ];
  for (const [covers, name, theirs, mine] of rows) t.equal(coversSight(theirs, mine), covers, name);
});
