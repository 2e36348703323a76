import fc from 'fast-check';
import t from 'tap';
import {
  type Attempt,
  EVERY_UPSTREAM,
  MAX_ATTEMPTS,
  type PullInput,
  planPull,
  planPush,
  pushRefusal,
  sessionUrl,
  type Visibility,
} from '../../src/failover/plan.ts';
import type { BreakerState, Gate, ReplicaView, UpstreamView } from '../../src/failover/view.ts';
import { libraryRoute, NOW, perClass, READING, replica, upstream, views } from './made-view.ts';

const PULL: PullInput = {
  route: libraryRoute(),
  repository: 'library/app',
  class: 'control',
  blobHead: false,
  forPush: false,
  visible: EVERY_UPSTREAM,
  client: 'ann',
};
const refusing: Gate = { mode: 'refusing', since: NOW - 61_500, reason: 'no answer' };
const settling: Gate = { mode: 'settling', since: NOW - 1000, reason: 'back, and settling' };

function order(all: Map<string, UpstreamView>, input: Partial<PullInput> = {}, turn = 0): string[] {
  return planPull({ ...PULL, ...input }, all, turn, NOW).map(({ url }) => url.replace('https://', ''));
}

const urls = (name: string, count: number, given: Partial<ReplicaView> = {}) =>
  Array.from({ length: count }, (_, index) => replica(`https://${name}${index + 1}`, given));

t.test('the order of a pull', async (t) => {
  const harbor = (given: Partial<ReplicaView>) => upstream('harbor', { replicas: [replica('https://harbor', given)] });
  const gcr = (given: Partial<ReplicaView>) => upstream('gcr', { replicas: [replica('https://gcr', given)] });
  const halfOpen = perClass<BreakerState>('half-open');
  const rows: [string, Partial<ReplicaView>, Partial<ReplicaView>, string[]][] = [
    ["the route's own", {}, {}, ['harbor', 'gcr']],
    ['not probed yet counts as well', { state: 'unknown' }, {}, ['harbor', 'gcr']],
    ['down is asked last', { state: 'down' }, {}, ['gcr', 'harbor']],
    ['open is asked last', { breakers: perClass('open') }, {}, ['gcr', 'harbor']],
    ['suspected is asked last', { suspected: true }, {}, ['gcr', 'harbor']],
    ['resting is asked last', { retryAfterUntil: NOW + 1 }, {}, ['gcr', 'harbor']],
    ['saturated is asked last', { saturated: { control: true, data: false } }, {}, ['gcr', 'harbor']],
    [
      'half-open gets a trial, the next on standby',
      { breakers: halfOpen, trialFree: perClass(true) },
      {},
      ['harbor', 'gcr'],
    ],
    ['one trial only', { breakers: halfOpen }, {}, ['gcr', 'harbor']],
    ["all down: the route's own", { state: 'down' }, { state: 'down' }, ['harbor', 'gcr']],
    ['one failure weighs less than an outage', { state: 'down' }, { suspected: true }, ['gcr', 'harbor']],
    ['an open breaker less than an outage', { state: 'down' }, { breakers: perClass('open') }, ['gcr', 'harbor']],
    ['a rest more than a failure', { retryAfterUntil: NOW + 9 }, { suspected: true }, ['gcr', 'harbor']],
  ];
  for (const [name, first, second, expected] of rows)
    t.strictSame(order(views(harbor(first), gcr(second))), expected, name);
});

t.test('an attempt', async (t) => {
  const all = views(
    upstream('harbor', { replicas: [replica('https://harbor', { state: 'down', reason: 'no answer' })] }),
    upstream('gcr'),
  );
  const [first, second] = planPull(PULL, all, 0, NOW);
  t.match(first, {
    upstream: 'gcr',
    url: 'https://gcr',
    repository: 'example-project/app',
    class: 'control',
    why: 'up: canary blob was read',
    trial: false,
    lastResort: false,
  });
  t.match(second, {
    upstream: 'harbor',
    repository: 'library/app',
    why: 'last resort: down: no answer',
    trial: false,
    lastResort: true,
    brief: true,
  });
  t.notOk(first?.brief);
  t.equal(first?.candidate, PULL.route.pull[1]);
  const rows: [Partial<ReplicaView>, Partial<Attempt>][] = [
    [{ state: 'unknown' }, { why: 'not probed yet', trial: false, lastResort: false }],
    [
      { breakers: perClass('half-open'), trialFree: perClass(true) },
      { why: 'trial of the half-open control breaker', trial: true, lastResort: false },
    ],
    [
      { breakers: perClass('half-open') },
      {
        why: 'last resort: control breaker half-open, its trial is under way',
        trial: false,
        lastResort: true,
      },
    ],
  ];
  for (const [given, expected] of rows) {
    const harbor = upstream('harbor', { replicas: [replica('https://harbor', given)] });
    t.match(planPull(PULL, views(harbor), 0, NOW), [expected], expected.why ?? '');
  }
});

t.test('an upstream that is down gets all of its time if no other one may answer', async (t) => {
  const down = replica('https://harbor', { state: 'down' });
  const only = views(upstream('harbor', { replicas: [down, { ...down, url: 'https://harbor2' }] }));
  t.match(planPull(PULL, only, 0, NOW), [{ brief: undefined }, { brief: undefined }]);
});

t.test('an upstream that is not there is left out', async (t) => {
  t.strictSame(order(views(upstream('gcr'))), ['gcr']);
  t.strictSame(order(views()), []);
});

t.test('URLs of one upstream take turns', async (t) => {
  const all = views(upstream('harbor', { replicas: urls('harbor', 3) }), upstream('gcr'));
  t.strictSame(order(all, {}, 0), ['harbor1', 'harbor2', 'harbor3', 'gcr']);
  t.strictSame(order(all, {}, 1), ['harbor2', 'harbor3', 'harbor1', 'gcr']);
  t.strictSame(order(all, {}, 2), ['harbor3', 'harbor1', 'harbor2', 'gcr']);
  t.strictSame(order(all, {}, 999_999), order(all, {}, 0));
});

t.test('a plan is bounded, and nobody is pushed out by the URLs of another', async (t) => {
  const all = views(upstream('harbor', { replicas: urls('harbor', 9) }), upstream('gcr'));
  t.strictSame(order(all), ['harbor1', 'harbor2', 'harbor3', 'harbor4', 'harbor5', 'gcr']);
  const down = views(
    upstream('harbor', { replicas: urls('harbor', 9, { state: 'down' }) }),
    upstream('gcr', { replicas: urls('gcr', 9) }),
  );
  t.strictSame(order(down), ['gcr1', 'gcr2', 'gcr3', 'gcr4', 'gcr5', 'harbor1']);
});

t.test('HEAD of a blob: who may say that it exists', async (t) => {
  const state = (gate: Gate, down = false) =>
    views(
      upstream('harbor', {
        gate,
        state: down ? 'down' : 'up',
        replicas: [replica('https://harbor', { state: down ? 'down' : 'up' })],
      }),
      upstream('gcr'),
    );
  const head = { blobHead: true };
  const accepting: Gate = { mode: 'accepting', since: 0, reason: '' };
  t.strictSame(order(state(accepting), head), ['harbor']);
  t.strictSame(order(state(settling), head), ['harbor']);
  t.strictSame(order(state(refusing), head), ['harbor', 'gcr'], 'read-only, say: it knows best');
  t.strictSame(order(state(refusing, true), head), ['gcr'], 'down: not waited for');
  t.strictSame(order(state(accepting)), ['harbor', 'gcr'], 'any other pull');
  const [up, down, failing] = [replica('https://h1'), replica('https://h2', { state: 'down' }), { suspected: true }];
  const withUrls = (...all: ReplicaView[]) =>
    views(upstream('harbor', { gate: refusing, replicas: all }), upstream('gcr'));
  t.strictSame(order(withUrls(up, down), head), ['h1', 'gcr', 'h2'], 'one URL that is up is enough');
  t.strictSame(order(withUrls({ ...up, ...failing }, down), head), ['gcr'], 'but not one that has just failed');
  const unproven = replica('https://h1', { proof: { state: 'unproven', since: 0, reason: 'it lists nothing' } });
  t.strictSame(order(withUrls(unproven, down), head), ['gcr'], 'nor one that has never shown content');
  t.strictSame(order(withUrls(unproven, up), head), ['h1', 'h1', 'gcr'], 'but one URL that has is enough');
  const alone = libraryRoute({ pull: [{ upstream: 'harbor', prefix: 'library/', replicate: false }] });
  t.strictSame(order(withUrls(unproven), { ...head, route: alone }), ['h1'], 'it may say so where it is alone');
  t.strictSame(
    order(views(upstream('gcr')), head),
    [],
    'an upstream that is not there is no reason to believe another',
  );
  const elsewhere = libraryRoute({ push: { upstream: 'other', prefix: 'library/', replicate: false } });
  t.strictSame(
    order(views(upstream('other'), upstream('harbor'), upstream('gcr')), { ...head, route: elsewhere }),
    ['other'],
    'also where it is not pulled from',
  );
  const readOnly = libraryRoute({ push: undefined });
  t.strictSame(order(state(accepting), { ...head, route: readOnly }), ['harbor', 'gcr'], 'nothing is pushed there');
});

t.test('who may push is told what is there by the push upstream alone, while that takes writes', async (t) => {
  const state = (gate: Gate) => views(upstream('harbor', { gate }), upstream('gcr'));
  const forPush = { forPush: true };
  t.strictSame(order(state({ mode: 'accepting', since: 0, reason: '' }), forPush), ['harbor']);
  t.strictSame(order(state(settling), forPush), ['harbor']);
  t.strictSame(order(state(refusing), forPush), ['harbor', 'gcr'], 'no push can come of it');
  const down = upstream('harbor', { gate: refusing, replicas: [replica('https://harbor', { state: 'down' })] });
  t.strictSame(order(views(down, upstream('gcr')), forPush), ['gcr', 'harbor'], 'a pull is tried everywhere');
  const readOnly = libraryRoute({ push: undefined });
  t.strictSame(order(state(refusing), { ...forPush, route: readOnly }), ['harbor', 'gcr']);
});

t.test('an upstream that the client may not be shown is no part of the plan', async (t) => {
  const all = views(upstream('harbor'), upstream('gcr'));
  const rows: [Visibility, string[]][] = [
    [EVERY_UPSTREAM, ['harbor', 'gcr']],
    [{ except: 'harbor' }, ['gcr']],
    [{ only: 'harbor' }, ['harbor']],
    [{ only: 'harbor', except: 'harbor' }, []],
    [{ except: 'other' }, ['harbor', 'gcr']],
  ];
  for (const [visible, planned] of rows) t.strictSame(order(all, { visible }), planned, JSON.stringify(visible));
  const many = Array.from({ length: MAX_ATTEMPTS + 3 }, (_, index) => upstream(`u${index}`));
  const route = libraryRoute({ pull: many.map(({ name }) => ({ upstream: name, prefix: '', replicate: false })) });
  const planned = order(views(...many), { route, visible: { except: 'u0' } });
  t.equal(planned.length, MAX_ATTEMPTS, 'a hidden upstream takes no place from the others');
});

const replicaState: fc.Arbitrary<Partial<ReplicaView>> = fc.record({
  state: fc.constantFrom('up' as const, 'down' as const, 'unknown' as const),
  suspected: fc.boolean(),
  retryAfterUntil: fc.constantFrom(0, NOW + 5000),
  breakers: fc
    .constantFrom('closed' as const, 'open' as const, 'half-open' as const)
    .map((state) => perClass<BreakerState>(state)),
  trialFree: fc.boolean().map((free) => perClass(free)),
  saturated: fc.record({ control: fc.boolean(), data: fc.boolean() }),
});
const replicas = (name: string) =>
  fc
    .array(replicaState, { minLength: 1, maxLength: 8 })
    .map((states) => states.map((given, index) => replica(`https://${name}${index}`, given)));

t.test(
  'property: a pull is tried on every upstream, never twice at one URL, within bounds, and the well ones first',
  async () => {
    fc.assert(
      fc.property(
        replicas('harbor'),
        replicas('gcr'),
        fc.nat(1000),
        fc.constantFrom('control' as const, 'data' as const),
        (first, second, turn, trafficClass) => {
          const all = views(upstream('harbor', { replicas: first }), upstream('gcr', { replicas: second }));
          const attempts = planPull({ ...PULL, class: trafficClass }, all, turn, NOW);
          const reasons = attempts.map(({ why }) => why.startsWith('last resort'));
          return (
            attempts.length === Math.min(MAX_ATTEMPTS, first.length + second.length) &&
            new Set(attempts.map(({ url }) => url)).size === attempts.length &&
            new Set(attempts.map((one) => one.upstream)).size === 2 &&
            reasons.indexOf(true) === (reasons.includes(true) ? reasons.filter((last) => !last).length : -1)
          );
        },
      ),
    );
  },
);

t.test('a push goes to the push upstream', async (t) => {
  const all = views(upstream('harbor'), upstream('gcr'));
  t.match(planPush(libraryRoute(), 'library/app', all, 0, READING, 'ann'), {
    upstream: 'harbor',
    url: 'https://harbor',
    repository: 'library/app',
    class: 'push',
    why: 'the push upstream',
  });
  const [, gcr] = libraryRoute().pull;
  t.match(planPush(libraryRoute({ push: gcr }), 'library/app', all, 0, READING, 'ann'), {
    upstream: 'gcr',
    repository: 'example-project/app',
  });
});

t.test('of several URLs a push takes the best, in turn', async (t) => {
  const pushUrl = (states: Partial<ReplicaView>[], turn: number) => {
    const all = states.map((given, index) => replica(`https://harbor${index + 1}`, given));
    return planPush(libraryRoute(), 'library/app', views(upstream('harbor', { replicas: all })), turn, READING, 'ann')
      .url;
  };
  t.equal(pushUrl([{}, {}], 0), 'https://harbor1');
  t.equal(pushUrl([{}, {}], 1), 'https://harbor2');
  t.equal(pushUrl([{ state: 'down' }, {}], 0), 'https://harbor2');
  for (const turn of [0, 1]) {
    t.equal(
      pushUrl([{ state: 'down' }, { suspected: true }], turn),
      'https://harbor2',
      "not the one that is down, whoever's turn it is",
    );
    t.equal(pushUrl([{ breakers: perClass('open') }, { breakers: perClass('half-open') }], turn), 'https://harbor2');
  }
});

t.test('an upload goes on where it began, unless that URL has failed and another one has not', async (t) => {
  const url = (own: Partial<ReplicaView>, other: Partial<ReplicaView>, session = 'https://harbor1') => {
    const replicas = [own, other].map((given, index) => replica(`https://harbor${index + 1}`, given));
    const view = upstream('harbor', { replicas });
    const planned = planPush(libraryRoute(), 'library/app', views(view), 0, READING, 'ann');
    return sessionUrl(session, { ...planned, url: 'https://harbor2' }, view, READING.monotonic);
  };
  t.equal(url({}, {}), 'https://harbor1');
  t.equal(url({ suspected: true }, {}), 'https://harbor2', 'a request has just failed there');
  t.equal(url({ state: 'down' }, {}), 'https://harbor2');
  t.equal(url({ breakers: perClass('open') }, { suspected: true }), 'https://harbor2', 'the lesser evil');
  t.equal(url({ state: 'down' }, { state: 'down' }), 'https://harbor1', 'no other one is better');
  t.equal(url({}, { state: 'down' }), 'https://harbor1');
  t.equal(url({ state: 'down' }, {}, 'https://gone'), 'https://gone', 'one that is configured no more');
});

t.test('a refused push says why and since when', async (t) => {
  const push =
    (given: Partial<UpstreamView>, route = libraryRoute()) =>
    () =>
      planPush(route, 'library/app', views(upstream('harbor', given)), 0, READING, 'ann');
  t.throws(push({ gate: refusing }), {
    code: 'DENIED',
    status: 403,
    message: 'pushes are refused since 2026-05-04T03:01:00Z: harbor cannot take them (no answer); pulls keep working',
  });
  t.throws(push({ gate: settling }), {
    code: 'DENIED',
    status: 403,
    message: 'pushes are refused for a few seconds more: harbor came back at 2026-05-04T03:02:00Z; try again',
  });
  t.throws(push({}, libraryRoute({ push: undefined })), {
    code: 'DENIED',
    status: 403,
    message: /"library\/" are refused: the route is read-only/,
  });
  t.throws(push({}, libraryRoute({ push: undefined, prefix: '' })), { code: 'DENIED', message: /this registry/ });
  t.throws(push({ replicas: [] }), { code: 'UNKNOWN', message: /harbor has no URL/ });
  t.throws(() => planPush(libraryRoute(), 'library/app', views(), 0, READING, 'ann'), {
    code: 'UNKNOWN',
    message: /no upstream harbor/,
  });
  t.equal(
    pushRefusal('harbor', refusing, READING).headers['retry-after'],
    undefined,
    'dockerd would go on for a minute',
  );
});

t.test('what a refused push says keeps to the clock of the host, though that was set', async (t) => {
  const HOUR = 3_600_000;
  for (const [step, said] of [
    [0, '2026-05-04T03:01:00Z'],
    [-HOUR, '2026-05-04T02:01:00Z'],
    [192 * HOUR, '2026-05-12T03:01:00Z'],
  ] as const)
    t.match(pushRefusal('harbor', refusing, { monotonic: NOW, wall: NOW + step }).message, `since ${said}: harbor`);
});
