import { pino } from 'pino';
import t from 'tap';
import { lateEvents, peerEvents } from '../../src/app/peer-events.ts';
import { peer } from '../status/snapshot/views.ts';

function logged() {
  const lines: { level: number; msg: string; upstreams?: string[] }[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}
const sight = (ids: string[]) => ({
  ...{ peer: '10.0.0.12:443', toldAt: 0, holds: true, defers: false, away: false },
  upstreams: ids.map((id) => ({
    ...{ id, pulls: 'yes' as const, pullsSince: 0, pushes: 'yes' as const, pushesSince: 0 },
    ...{ goodAt: 0, probedAt: 0 },
  })),
});

t.test('what the log says of another edge', async (t) => {
  const { log, lines } = logged();
  let ids = ['id-of-harbor'];
  const registries = () => new Map([['harbor', 'id-of-harbor']]);
  const tell = peerEvents(log, { sights: () => [sight(ids)], registries });
  const rows: [Parameters<typeof peer>[0], string[], [number, RegExp][]][] = [
    [{}, ['id-of-harbor'], [[30, /^peer is in-step$/]]],
    [{ state: 'unreachable' }, ['id-of-harbor'], [[40, /^peer is unreachable$/]]],
    [
      { state: 'stranger' },
      ['id-of-harbor'],
      [[40, /^peer is stranger; give both the same keyFile, and run breakwater check/]],
    ],
    [
      { clockAheadMs: -600_000 },
      ['id-of-harbor'],
      [
        [30, /in-step/],
        [40, /^the clock of the host of another edge differs/],
      ],
    ],
    [
      {},
      ['id-of-gcr'],
      [
        [30, /in-step/],
        [40, /^another edge has no upstreams with these urls/],
      ],
    ],
    [{ address: '10.0.0.13:443' }, [], [[30, /in-step/]]],
  ];
  for (const [view, there, expected] of rows) {
    ids = there;
    lines.length = 0;
    tell(peer(view));
    t.match(
      lines,
      expected.map(([level, msg]) => ({ level, msg })),
    );
    t.equal(lines.length, expected.length);
  }
});

t.test('edges that are late are named once in a while', async (t) => {
  const { log, lines } = logged();
  const late = lateEvents(log);
  late('10.0.0.12:443');
  late('10.0.0.12:443');
  t.match(lines, [{ level: 40, msg: /did not acknowledge a write within 100 ms/ }]);
  t.equal(lines.length, 1);
});
