import t from 'tap';
import { PairBackoff } from '../../src/failover/pair-backoff.ts';
import { EVERY_UPSTREAM, isMerelySlow, obstacleTo, planPull } from '../../src/failover/plan.ts';
import { type BreakerState, type ReplicaView, TRAFFIC_CLASSES } from '../../src/failover/view.ts';
import { libraryRoute, NOW, perClass, replica, upstream, views } from './made-view.ts';

const URL = 'https://harbor.lan';
const ASKED = { client: 'ann', repository: 'library/app' };

t.test('what speaks against a URL, from the lightest to the gravest', async (t) => {
  const saturated = { saturated: { control: true, data: false } };
  const halfOpen = { breakers: perClass<BreakerState>('closed', { control: 'half-open' }) };
  const rows: [string, Partial<ReplicaView>, number | undefined, RegExp | undefined][] = [
    ['nothing', {}, undefined, undefined],
    ['not probed yet', { state: 'unknown' }, undefined, undefined],
    ['saturated', saturated, 1, /concurrency limit/],
    ['saturated for this client', { isSaturatedFor: (client) => client === 'ann' }, 1, /its share/],
    ['saturated for another client', { isSaturatedFor: (client) => client === 'bob' }, undefined, undefined],
    ['suspected', { suspected: true }, 1, /has just failed/],
    ['half-open, with room for a trial', { ...halfOpen, trialFree: perClass(true) }, undefined, undefined],
    ['half-open, its trial under way', halfOpen, 2, /half-open, its trial/],
    ['resting', { retryAfterUntil: NOW + 1001 }, 3, /rate-limited for 2 s/],
    ['rested', { retryAfterUntil: NOW }, undefined, undefined],
    ['open', { breakers: perClass('open') }, 4, /control breaker open/],
    ['open for another class', { breakers: perClass<BreakerState>('closed', { data: 'open' }) }, undefined, undefined],
    ['down', { state: 'down', reason: 'no answer' }, 5, /down: no answer/],
    [
      'everything',
      { ...saturated, suspected: true, retryAfterUntil: NOW + 1, breakers: perClass('open'), state: 'down' },
      5,
      /down/,
    ],
    ['resting and suspected', { suspected: true, retryAfterUntil: NOW + 1 }, 3, /rate-limited for 1 s/],
  ];
  const unproven: Partial<ReplicaView> = { proof: { state: 'unproven', since: NOW, reason: 'it lists nothing' } };
  t.notOk(obstacleTo(replica(URL, unproven), 'control', NOW, ASKED), 'a pull may find what the list lacks');
  t.match(obstacleTo(replica(URL, unproven), 'push', NOW, ASKED), { severity: 2, why: /not shown any content/ });
  for (const [name, given, severity, why] of rows) {
    const obstacle = obstacleTo(replica(URL, given), 'control', NOW, ASKED);
    t.equal(obstacle?.severity, severity, name);
    if (why) t.match(obstacle?.why, why, name);
  }
});

t.test('each class of traffic has breakers of its own', async (t) => {
  for (const one of TRAFFIC_CLASSES) {
    const open = replica(URL, { breakers: perClass<BreakerState>('closed', { [one]: 'open' }) });
    const stopped = TRAFFIC_CLASSES.filter((other) => obstacleTo(open, other, NOW, ASKED));
    t.strictSame(stopped, [one], `the breaker of ${one} stops nothing else`);
  }
  const full = replica(URL, { saturated: { control: true, data: true } });
  t.ok(obstacleTo(full, 'data', NOW, ASKED));
  t.notOk(obstacleTo(full, 'push', NOW, ASKED), 'pushes are not bounded by this');
  t.notOk(obstacleTo(full, 'passthrough', NOW, ASKED));
  const open = replica(URL, { breakers: perClass<BreakerState>('closed', { push: 'open' }) });
  t.match(obstacleTo(open, 'push', NOW, ASKED)?.why, /push breaker open/);
  t.notOk(obstacleTo(open, 'data', NOW, ASKED));
});

t.test('what one client and repository have met speaks against the URL for them alone', async (t) => {
  const pairBackoff = new PairBackoff({ consecutive: 1, open: 5000, openMax: 60_000 });
  const late = { client: 'ben', repository: 'library/app' };
  pairBackoff.limited(ASKED, 'control', 2001, NOW);
  pairBackoff.late(late, 'control', NOW);
  const view = replica(URL, { pairBackoff });
  const of = (evidence: typeof ASKED) => obstacleTo(view, 'control', NOW, evidence);
  t.match(of(ASKED), { severity: 3, why: 'rate-limited for this client and repository, so asked last for 3 s' });
  t.match(of(late), { severity: 3, why: 'late again and again for this client and repository, so asked last for 5 s' });
  t.equal(of({ client: 'cleo', repository: 'library/app' }), undefined, 'another client');
  t.equal(of({ client: 'ann', repository: 'library/other' }), undefined, 'another repository');
  t.equal(obstacleTo(view, 'data', NOW, ASKED), undefined, 'another class');

  t.equal(isMerelySlow(view, 'control', NOW, late), true);
  t.equal(isMerelySlow(view, 'control', NOW, ASKED), false, 'a rate limit is no slowness');
  t.equal(isMerelySlow(replica(URL, { slow: true }), 'control', NOW, ASKED), true);
  t.equal(isMerelySlow(replica(URL), 'control', NOW, ASKED), false);
});

t.test('after late answers, one pull of that client and repository is a trial', async (t) => {
  const pairBackoff = new PairBackoff({ consecutive: 1, open: 5000, openMax: 60_000 });
  pairBackoff.late(ASKED, 'control', NOW);
  const all = views(upstream('harbor', { replicas: [replica(URL, { pairBackoff })] }));
  const where = {
    route: libraryRoute(),
    repository: 'library/app',
    class: 'control',
    visible: EVERY_UPSTREAM,
  } as const;
  const plan = (client: string, now: number) =>
    planPull({ ...where, client, blobHead: false, forPush: false }, all, 0, now)[0];
  t.match(plan('ann', NOW), { trial: false, lastResort: true });
  t.match(plan('ben', NOW), { trial: false, lastResort: false });
  t.match(plan('ann', NOW + 5000), { trial: true, lastResort: false });
  for (let other = 0; other < 3; other += 1) {
    t.equal(isMerelySlow(replica(URL, { pairBackoff }), 'control', NOW + 5000, ASKED), false);
    t.match(plan('ann', NOW + 5000), { trial: true }, 'a look at the upstream, or a plan, is no trial yet');
  }
  pairBackoff.asked(ASKED, 'control', NOW + 5000);
  t.match(plan('ann', NOW + 5000), { trial: false, lastResort: true }, 'one at a time');
});

t.test('an upstream that may be hiding the repository comes first unless it is out', async (t) => {
  const pairBackoff = new PairBackoff({ consecutive: 1, open: 5000, openMax: 60_000 });
  pairBackoff.limited(ASKED, 'control', 2001, NOW);
  const where = {
    route: libraryRoute(),
    repository: 'library/app',
    class: 'control',
    visible: EVERY_UPSTREAM,
  } as const;
  const first = (given: Partial<ReplicaView>, hiding?: string) => {
    const all = views(upstream('harbor', { replicas: [replica(URL, given)] }), upstream('gcr'));
    return planPull({ ...where, client: 'ann', blobHead: false, forPush: false, hiding }, all, 0, NOW)[0]?.upstream;
  };
  const full = { saturated: { control: true, data: true } };
  const owns = [{ pairBackoff }, { isSaturatedFor: () => true }, full, { suspected: true, slow: true }];
  for (const own of owns) {
    t.equal(first(own), 'gcr');
    t.equal(first(own, 'gcr'), 'gcr', 'another upstream');
    t.equal(first(own, 'harbor'), 'harbor');
    for (const outage of [{ suspected: true, slow: false }, { retryAfterUntil: NOW + 1 }, { state: 'down' }] as const)
      t.equal(first({ ...own, ...outage }, 'harbor'), 'gcr', 'for everybody');
  }
});
