import { pino } from 'pino';
import t from 'tap';
import type { HeldListeners } from '../../src/app/client-listeners.ts';
import { longestStop, PlannedStop } from '../../src/app/planned-stop.ts';
import type { PeerView } from '../../src/peer/peer-view.ts';

const VIP = '192.0.2.10';

interface Site {
  /** What happened, in order. */
  steps: string[];
  log: string[];
  load: { connections: number; underWay: number; oldest: number };
  addresses: string[];
  stop: PlannedStop;
}

function site({ here = true, canIgnore = true, drain = {}, peers = [] as Partial<PeerView>[] } = {}): Site {
  const steps: string[] = [];
  const log: string[] = [];
  const load = { connections: 1, underWay: 1, oldest: 60_000 };
  const addresses = ['127.0.0.1', ...(here ? [VIP] : [])];
  const counts = { finished: 0, cut: 0 };
  const held: HeldListeners = {
    settled: true,
    load: () => load,
    ignoreNew: (ignored) => {
      steps.push(ignored ? 'ignore new' : 'take new');
      return canIgnore || !ignored;
    },
    cut: async () => {
      steps.push('cut');
      counts.cut += load.underWay;
      load.underWay = 0;
    },
    counts: () => ({ ...counts }),
  };
  const stop = new PlannedStop({
    clients: {
      hold: () => {
        steps.push('hold');
        return held;
      },
      drain: async () => {
        steps.push('drain');
        return { finished: 1, cut: 0 };
      },
    },
    drain: { announce: 100, timeout: 60_000, vip: [VIP], loadBalancer: 'keeps', ...drain },
    leaveFile: {
      write: (leave) => {
        steps.push(`leave ${leave}`);
        // keepalived moves the VIP.
        if (addresses.length > 1) addresses.pop();
      },
    },
    peers: () => peers as PeerView[],
    log: pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
    onUnready: () => steps.push('unready'),
    onLast: () => undefined,
    addresses: () => addresses,
  });
  return { steps, log, load, addresses, stop };
}

t.test('the VIP is here: the checks fail last', async (t) => {
  const { stop, steps, load, log } = site();
  const stopped = stop.run();
  t.match(stop.view(), { stage: 'holding', underWay: 1 });
  t.same(steps, ['hold', 'take new']);
  load.underWay = 0;
  t.same(await stopped, { finished: 1, cut: 0 });
  t.same(steps.slice(2), ['ignore new', 'ignore new', 'cut', 'leave true', 'unready', 'take new', 'drain']);
  t.match(log.join(''), /"end":"quiet".*gives up the VIP[\s\S]*the VIP has left this node[\s\S]*drained/);
  t.match(log.join(''), 'no other edge answers');
});

t.test('the VIP leaves by itself: what came over it is cut', async (t) => {
  const { stop, steps, addresses, log } = site({ peers: [{ state: 'in-step' }] });
  const stopped = stop.run();
  addresses.pop();
  t.same(await stopped, { finished: 1, cut: 1 });
  t.ok(steps.indexOf('cut') < steps.indexOf('unready'));
  t.match(log.join(''), '"end":"vip-lost"');
  t.notMatch(log.join(''), 'no other edge answers');
});

t.test('the VIP is with the other node: the checks fail first', async (t) => {
  const { stop, steps } = site({ here: false });
  await stop.run();
  t.same(steps, ['leave true', 'unready', 'drain']);
});

t.test('a load balancer that cuts: the checks fail last, and new connections are always taken', async (t) => {
  const { stop, steps, load } = site({ here: false, drain: { vip: [], loadBalancer: 'cuts' } });
  const stopped = stop.run();
  load.underWay = 0;
  await stopped;
  t.same(steps, ['hold', 'leave true', 'unready', 'drain']);
});

t.test('without a filter, what came while the VIP moved is cut, too', async (t) => {
  const { stop, steps, load } = site({ canIgnore: false });
  load.underWay = 0;
  await stop.run();
  t.equal(steps.filter((step) => step === 'cut').length, 2);
});

t.test('the time is over', async (t) => {
  const { stop, steps } = site({ drain: { timeout: 50 } });
  t.same(await stop.run(), { finished: 1, cut: 1 });
  t.ok(steps.indexOf('cut') < steps.indexOf('unready'));
});

t.test('how long a stop may take', async (t) => {
  const drain = { announce: 5000, timeout: 300_000, loadBalancer: 'keeps' as const };
  t.equal(longestStop({ ...drain, vip: [] }), 305_000);
  t.equal(longestStop({ ...drain, vip: [VIP] }), 310_000);
});
