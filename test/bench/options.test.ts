import t from 'tap';
import { parseOptions } from '../../bench/options.ts';
import { OUTAGE_KINDS } from '../../bench/outages/kinds.ts';
import { ITEMS, PARTS } from '../../bench/selection.ts';

t.test('without --only everything is measured', async (t) => {
  const { selection, proxies, rounds, mib, short } = parseOptions([]);
  t.strictSame(selection.parts, [...PARTS]);
  for (const part of PARTS) t.strictSame(selection.itemsOf(part), ITEMS[part]);
  t.strictSame(
    { proxies, rounds, mib, short },
    { proxies: ['edge', 'nginx', 'HAProxy', 'Caddy'], rounds: 3, mib: 512, short: false },
  );
});

t.test('--only takes parts and items, once or often', async (t) => {
  const { selection } = parseOptions(['--only', 'outages:frozen,outages:killed', '--only', 'coalescing']);
  t.strictSame(selection.parts, ['coalescing', 'outages']);
  t.strictSame(selection.itemsOf('outages'), ['killed', 'frozen']);
  t.strictSame(selection.itemsOf('coalescing'), ['tag', 'digest']);
  t.equal(selection.has('blobs', 'plain'), false);
});

t.test('a short run has fewer outages, but for those that are asked for', async (t) => {
  t.ok(parseOptions(['--short']).selection.itemsOf('outages').length < ITEMS.outages.length);
  t.strictSame(parseOptions(['--short', '--only', 'outages']).selection.itemsOf('outages'), ITEMS.outages);
});

t.test('proxies come in their order, whatever their case', async (t) => {
  t.strictSame(parseOptions(['--proxies', 'haproxy,EDGE']).proxies, ['edge', 'HAProxy']);
});

t.test('what there is not is refused', async (t) => {
  for (const args of [
    ['--only', 'pushes'],
    ['--only', 'outages:flood'],
    ['--proxies', 'edge,apache'],
    ['--rounds', '0'],
    ['--mib', 'many'],
    ['--short', '--record'],
    ['--record', '--only', 'coalescing:tag'],
    ['--fast'],
  ])
    t.throws(() => parseOptions(args), TypeError, args.join(' '));
});

t.test('every outage can be asked for by its name', async (t) => {
  t.strictSame(
    OUTAGE_KINDS.map(({ item }) => item),
    ITEMS.outages,
  );
});
