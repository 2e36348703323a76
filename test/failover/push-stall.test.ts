import t from 'tap';
import { anotherServes, isStalled, type PushProgress, stallObstacle } from '../../src/failover/push-stall.ts';
import type { ReplicaView } from '../../src/failover/view.ts';
import { NOW, replica, upstream } from './made-view.ts';

const STALL = 15_000;
const ago = (seconds: number) => NOW - 1000 * seconds;

t.test('whether a write under way is given up', async (t) => {
  const failing = { lastProbeAt: ago(1), goodProbeAt: ago(16) };
  const cases: [says: string, phase: PushProgress['phase'], movedAt: number, Partial<ReplicaView>, stalled: boolean][] =
    [
      ['it moves', 'sending', ago(14), failing, false],
      ['it does not move, and a probe has failed since', 'sending', ago(16), failing, true],
      ['the last probe was good', 'sending', ago(16), { lastProbeAt: ago(1), goodProbeAt: ago(1) }, false],
      ['a probe was good not long ago', 'sending', ago(16), { lastProbeAt: ago(1), goodProbeAt: ago(10) }, false],
      ['the failed probe is older', 'sending', ago(16), { lastProbeAt: ago(20), goodProbeAt: ago(22) }, false],
      ['no probe has ended yet', 'sending', ago(16), { lastProbeAt: undefined, goodProbeAt: undefined }, false],
      ['no probe was ever good', 'sending', ago(16), { lastProbeAt: ago(1), goodProbeAt: undefined }, true],
      ['all is sent, and probes fail, but it is not down', 'sent', ago(120), failing, false],
      ['all is sent, and it is down', 'sent', ago(16), { ...failing, state: 'down' }, true],
      ['all was sent just now, and it is down', 'sent', ago(3), { ...failing, state: 'down' }, false],
      [
        'a commit of two minutes, down for a moment',
        'sent',
        ago(120),
        { ...failing, goodProbeAt: ago(9), state: 'down' },
        false,
      ],
      ['a commit of two minutes', 'sent', ago(120), { lastProbeAt: ago(1), goodProbeAt: ago(1) }, false],
      ['the client is slow, and probes fail', 'waiting', ago(16), failing, false],
      ['the client is slow, and it is down', 'waiting', ago(16), { ...failing, state: 'down' }, true],
    ];
  for (const [says, phase, movedAt, given, stalled] of cases)
    t.equal(isStalled({ phase, movedAt }, replica('https://harbor', given), STALL, NOW), stalled, says);
});

t.test('whether another try of a stalled write would be refused too', async (t) => {
  const down = replica('https://a', { state: 'down', lastProbeAt: ago(1), goodProbeAt: ago(20) });
  const failing = { ...down, state: 'up' as const };
  const good = replica('https://b', { goodProbeAt: ago(1) });
  const refusing = { mode: 'refusing', since: ago(12), reason: 'the probe timed out' } as const;
  const stalled = 'a push under way did not move for 15 s';
  const obstacle = (gate: object, ...replicas: ReplicaView[]) =>
    stallObstacle(upstream('harbor', { ...gate, replicas }), 'https://a', STALL, NOW);
  t.match(obstacle({ gate: refusing }, down), { ...refusing, reason: `the probe timed out; ${stalled}` });
  t.match(obstacle({}, failing), { mode: 'refusing', since: ago(15), reason: `its last probe failed; ${stalled}` });
  t.equal(obstacle({}, down, good), undefined, 'another URL is well');
  t.ok(obstacle({}, failing, { ...good, suspected: true }), 'another URL is suspected');
  t.ok(obstacle({}, failing, { ...good, state: 'down' }), 'another URL is down');
  t.equal(obstacle({}, replica('https://a', { goodProbeAt: NOW - 1000 })), undefined, 'its own probes are good');
  t.equal(obstacle({}), undefined, 'it has no URL any more');
});

t.test('whether another URL takes the next request', async (t) => {
  const well = replica('https://b');
  t.equal(anotherServes([replica('https://a'), well], 'https://a'), true);
  t.equal(anotherServes([replica('https://a')], 'https://a'), false, 'there is none');
  t.equal(anotherServes([well, { ...well, url: 'https://c', state: 'down' }], 'https://b'), false, 'it is down');
  t.equal(anotherServes([{ ...well, suspected: true }], 'https://a'), false, 'it is suspected');
});
