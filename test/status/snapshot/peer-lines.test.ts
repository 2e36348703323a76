import t from 'tap';
import type { SnapshotInput } from '../../../src/status/snapshot/snapshot.ts';
import type { DifferenceView } from '../../../src/status/snapshot/vip-snapshot.ts';
import { NOW, peer, replica, sightDifference, snapshotOf, upstream } from './views.ts';

const headline = (over: Partial<SnapshotInput>) => snapshotOf({ peers: [peer()], ...over }).headline;
const refusal = { since: NOW - 60_000, reason: '/v2/ answers 401', total: true };
const gcr = upstream('gcr');

/** An upstream with something wrong with a breaker, or with an account. */
function open(trafficClass: string) {
  const one = replica();
  return upstream('harbor', { replicas: [{ ...one, breakers: { ...one.breakers, [trafficClass]: 'open' } }] });
}
function refused(role: 'own' | 'probe' | 'replication') {
  const account = { role, username: 'robot$edge', refusal, expires: undefined };
  const credentials = { own: true, refusal: role === 'own' ? refusal : undefined, accounts: [account] };
  return upstream('harbor', { credentials });
}

t.test('breakwater status exits with 1, and says why', async (t) => {
  const rows: [string, Partial<SnapshotInput>, RegExp][] = [
    [
      'another keyFile',
      { peers: [peer({ state: 'stranger', reason: 'another keyFile' })] },
      /has rejected this edge since .*another keyFile\. Give both the same keyFile, and run breakwater check on both\./,
    ],
    ['unreachable', { peers: [peer({ state: 'unreachable', reason: 'ECONNREFUSED' })] }, /has been unreachable since/],
    [
      'a clock ten minutes ahead',
      { peers: [peer({ clockAheadMs: 600_400 })] },
      /^The clock of the edge at 10\.0\.0\.12:443 is 600 s ahead of that of this edge, .*Check the time synchronization/,
    ],
    [
      'a clock behind',
      { peers: [peer({ address: null, clockAheadMs: -30_000 })] },
      /edge-b\.lan is 30 s behind that of/,
    ],
    ['refused credentials', { upstreams: [refused('own'), gcr] }, /harbor has refused this edge's credentials since/],
    [
      'refused credentials of probes',
      { upstreams: [refused('probe'), gcr] },
      /refused the probe's credentials \(robot/,
    ],
    [
      'refused credentials of copies',
      { upstreams: [refused('replication'), gcr] },
      /refused the credentials of copies/,
    ],
    ['an open breaker for blobs', { upstreams: [open('data'), gcr] }, /fails real requests \(breaker open\)/],
    ['for manifests', { upstreams: [open('control'), gcr] }, /fails real requests \(breaker open\)/],
    ['for pushes', { upstreams: [open('push'), gcr] }, /passes its probes but fails pushes \(breaker open\)/],
    ['for other paths', { upstreams: [open('passthrough'), gcr] }, /fails requests outside the registry API/],
    [
      'one URL of two is down',
      {
        upstreams: [upstream('harbor', { replicas: [replica(), replica({ url: 'https://h2', state: 'down' })] }), gcr],
      },
      /^https:\/\/h2 of harbor has been down since .* \(.*\), and harbor serves without it\.$/,
    ],
  ];
  for (const [name, over, line] of rows) {
    const { level, lines } = headline(over);
    t.equal(level, 'degraded', name);
    t.ok(
      lines.some((one) => line.test(one)),
      `${name}: ${lines.join('\n')}`,
    );
  }
});

t.test('and with 0 for what is usual', async (t) => {
  const rows: Record<string, Partial<SnapshotInput>> = {
    'nothing wrong': {},
    'a clock that is a little off': { peers: [peer({ clockAheadMs: 29_999 })] },
    'an edge of the release before': { peers: [peer({ release: null, clockAheadMs: null })] },
    'a difference of a moment': differing({ since: NOW - 4999 }),
    'no differences': { vip: { obstacle: undefined, defers: undefined, differences: [] } },
  };
  for (const [name, over] of Object.entries(rows)) t.equal(headline(over).level, 'well', name);
});

function differing(over: Partial<DifferenceView>, defers = false): Partial<SnapshotInput> {
  const one = sightDifference(over);
  return { vip: { obstacle: undefined, defers: defers ? one : undefined, differences: [one] } };
}

t.test('who reaches what the other edge does not, and what becomes of the VIP', async (t) => {
  const here = 'This edge does not reach harbor, and the edge at 10.0.0.12:443 does, since 03:29 UTC.';
  const check = 'Check the network between this node and harbor.';
  const rows: [Partial<DifferenceView>, boolean, string][] = [
    [{}, true, `${here} The VIP moves there, because /vipz fails here. ${check}`],
    [{}, false, `${here} If the other edge keeps promising to hold the VIP, /vipz fails here soon. ${check}`],
    [
      { covers: false },
      false,
      `${here} Each of the two reaches something that the other one does not, so the VIP stays where it is. ${check}`,
    ],
    [
      { lacking: 'peer' },
      false,
      'The edge at 10.0.0.12:443 does not reach harbor, and this edge does, since 03:29 UTC. If that node has the VIP, it leaves it to this one. Check the network between that node and harbor.',
    ],
    [
      {
        upstreams: [
          { upstream: 'gcr', pulls: true, pushes: false },
          { upstream: 'harbor', pulls: false, pushes: true },
        ],
      },
      true,
      'This edge does not reach gcr and cannot push to harbor, and the edge at 10.0.0.12:443 does, since 03:29 UTC. The VIP moves there, because /vipz fails here. Check the network between this node and gcr, harbor.',
    ],
  ];
  for (const [over, defers, line] of rows) {
    const { level, lines } = headline(differing(over, defers));
    t.equal(level, 'degraded');
    t.ok(lines.includes(line), lines.join('\n'));
  }
});

t.test('the JSON of the status', async (t) => {
  const difference = sightDifference();
  const { vip } = snapshotOf({
    vip: { obstacle: 'another edge sees more', defers: difference, differences: [difference] },
  });
  const since = new Date(NOW - 60_000).toISOString();
  t.strictSame(vip, {
    eligible: false,
    reason: 'another edge sees more',
    defersTo: { peer: '10.0.0.12:443', since },
    differences: [{ ...difference, since }],
  });
});
