import t from 'tap';
import { obstacleTo } from '../../src/failover/plan.ts';
import { type BreakerState, type ReplicaView, TRAFFIC_CLASSES } from '../../src/failover/view.ts';
import { NOW, perClass, replica } from './made-view.ts';

const URL = 'https://harbor.lan';

t.test('what speaks against a URL, from the lightest to the gravest', async (t) => {
  const saturated = { saturated: { control: true, data: false } };
  const halfOpen = { breakers: perClass<BreakerState>('closed', { control: 'half-open' }) };
  const rows: [string, Partial<ReplicaView>, number | undefined, RegExp | undefined][] = [
    ['nothing', {}, undefined, undefined],
    ['not probed yet', { state: 'unknown' }, undefined, undefined],
    ['saturated', saturated, 1, /concurrency limit/],
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
  for (const [name, given, severity, why] of rows) {
    const obstacle = obstacleTo(replica(URL, given), 'control', NOW);
    t.equal(obstacle?.severity, severity, name);
    if (why) t.match(obstacle?.why, why, name);
  }
});

t.test('each class of traffic has its own', async (t) => {
  for (const one of TRAFFIC_CLASSES) {
    const open = replica(URL, { breakers: perClass<BreakerState>('closed', { [one]: 'open' }) });
    const stopped = TRAFFIC_CLASSES.filter((other) => obstacleTo(open, other, NOW));
    t.strictSame(stopped, [one], `the breaker of ${one} stops nothing else`);
  }
  const full = replica(URL, { saturated: { control: true, data: true } });
  t.ok(obstacleTo(full, 'data', NOW));
  t.notOk(obstacleTo(full, 'push', NOW), 'pushes are not bounded by this');
  t.notOk(obstacleTo(full, 'passthrough', NOW));
  const open = replica(URL, { breakers: perClass<BreakerState>('closed', { push: 'open' }) });
  t.match(obstacleTo(open, 'push', NOW)?.why, /push breaker open/);
  t.notOk(obstacleTo(open, 'data', NOW));
});
