import { setTimeout as delay } from 'node:timers/promises';
import { timeLimit } from '../../../helpers/time-limit.ts';
import { until } from '../../../helpers/until.ts';
import { noneFailed, outcomeOf, type PairEvent, type Row, seconds } from '../event.ts';
import { ADDRESSES } from '../network.ts';
import type { Side } from '../node.ts';
import { HOST, type Pair } from '../pair.ts';
import { pulls, pushes } from '../traffic.ts';

/** The shipped time of the first move, and a shorter one than shipped between moves, for a test that ends. */
export const SEES_CONFIG = { vip: { deferAfter: '5s', holdDown: '10s' } };
const MOVED_MS = 20_000;
const BOTH_CUT_MS = 14_000;
const FLAPS = 4;
const FLAP_MS = 2500;

export const seesEvents: PairEvent[] = [
  { key: 'way-cut', group: 'sees', run: runWayCut },
  { key: 'both-cut', group: 'sees', run: runBothCut },
  { key: 'flapping', group: 'sees', run: runFlapping },
];

/** Notes each change of the holder of the VIP. */
function watchVip(pair: Pair): { moves: Side[]; stop: () => Promise<void> } {
  const moves: Side[] = [];
  let isOver = false;
  const watch = async () => {
    while (!isOver) {
      const [holder, ...more] = await pair.holders();
      if (holder && more.length === 0 && moves.at(-1) !== holder.side) moves.push(holder.side);
      await delay(150);
    }
  };
  const watching = watch();
  return {
    moves,
    stop: async () => {
      isOver = true;
      await watching;
    },
  };
}

async function runWayCut(pair: Pair): Promise<Row[]> {
  const key = 'way-cut';
  const target = { url: `https://${HOST}`, authority: pair.certificate.authority };
  const image = await pair.seed(`${key}:v1`);
  const active = await pair.well();
  const other = pair.other(active);
  const watch = watchVip(pair);
  const pulling = pulls(pair.owner, target, image, key, { every: 250, tries: 6 });
  const pushing = pushes(pair.owner, [target], `library/${key}-made`, { every: 250 });
  await delay(1000);
  const moment = performance.now();
  await active.cutOff(ADDRESSES.primary, true);
  await until(() => other.holdsVip(), { timeout: 40_000, what: () => `the VIP at ${other.side}\n${pair.story()}` });
  const moved = performance.now() - moment;
  await delay(3000);
  await Promise.all([pulling.stop(), pushing.stop()]);
  await active.cutOff(ADDRESSES.primary, false);
  // Until the edge that was cut off may hold the VIP again: it stays at the other one.
  await until(async () => (await active.run('/etc/keepalived/breakwater-vip-check')).status === 0, {
    timeout: 60_000,
    every: 500,
    what: () => `the edge that was cut off to be well\n${pair.story()}`,
  });
  await delay(3000);
  const settled = await pair.well();
  await watch.stop();
  const taken =
    Math.min(...pushing.done.flatMap(({ began, ended, error }) => (began > moment && !error ? [ended] : []))) - moment;
  return [
    {
      event: 'only the active edge loses its way to the primary',
      must: 'the VIP moves to the edge that reaches it, pushes are taken again, no pull fails, and the VIP does not move back',
      measured: `VIP at the other node after ${seconds(moved)}, pushes are taken after ${seconds(taken)}; 0 of ${pulling.done.length} pulls of clients that retry fail; 1 move`,
      checks: [
        {
          what: `pushes are taken after ${Math.round(taken)} ms: ${outcomeOf(pushing)}`,
          ok: taken < timeLimit(MOVED_MS),
        },
        noneFailed('pulls of clients that retry', pulling),
        { what: `the VIP was at ${watch.moves.join(', ')}`, ok: watch.moves.join() === `${active.side},${other.side}` },
        { what: `it stays at ${settled.side}`, ok: settled === other },
      ],
    },
  ];
}

async function runBothCut(pair: Pair): Promise<Row[]> {
  const active = await pair.well();
  const watch = watchVip(pair);
  await Promise.all(pair.both.map((node) => node.cutOff(ADDRESSES.primary, true)));
  await delay(BOTH_CUT_MS);
  const saw = await Promise.all(
    pair.both.map(async (node) => (await node.status()).upstreams.find(({ name }) => name === 'harbor')?.state),
  );
  await Promise.all(pair.both.map((node) => node.cutOff(ADDRESSES.primary, false)));
  await pair.well();
  await watch.stop();
  return [
    {
      event: 'both edges lose the primary',
      must: 'the VIP does not move',
      measured: `0 moves in ${seconds(BOTH_CUT_MS)}`,
      checks: [
        { what: `both see it down: ${saw}`, ok: saw.every((state) => state === 'down') },
        { what: `the VIP was at ${watch.moves.join(', ')}`, ok: watch.moves.join() === active.side },
      ],
    },
  ];
}

async function runFlapping(pair: Pair): Promise<Row[]> {
  const active = await pair.well();
  const watch = watchVip(pair);
  for (let count = 0; count < FLAPS; count += 1) {
    await active.cutOff(ADDRESSES.primary, true);
    await delay(FLAP_MS);
    await active.cutOff(ADDRESSES.primary, false);
    await delay(FLAP_MS);
  }
  await watch.stop();
  const moves = watch.moves.length - 1;
  await pair.well();
  return [
    {
      event: `the way of the active edge to the primary comes and goes, ${FLAPS} times in ${seconds(FLAPS * 2 * FLAP_MS)}`,
      must: 'the VIP moves once at most',
      measured: `${moves} moves`,
      checks: [{ what: `the VIP was at ${watch.moves.join(', ')}`, ok: moves <= 1 }],
    },
  ];
}
