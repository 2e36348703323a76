import fc from 'fast-check';
import t from 'tap';
import type { FaultInput, FaultName } from '../../../src/lab/fault.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { type LabSite, sha256 } from '../../helpers/lab-site.ts';
import { partsOf } from '../../helpers/multipart.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { BLOB, CONTENT, DIGEST, nothingLeft, startSpliceSite, TOTAL } from './splice-site.ts';

// Random faults on both registries while blobs are pulled, whole and in parts. Whatever happens: a complete reply has the right bytes,
// and nothing is left under way.

type Where = 'primary' | 'fallback';
/** No range: the whole blob. */
type Ask = { version: 1 | 2; ranges: readonly (readonly [first: number, length: number])[]; leaves: boolean };
type Step = { fault: FaultName; input: FaultInput; at: Where } | { heal: Where } | { asks: Ask[] };

const where = fc.constantFrom<Where[]>('primary', 'fallback');
const bytes = fc.oneof(
  fc.constantFrom(1, 65_535, 65_536, 65_537, 262_144, 262_145, TOTAL - 1),
  fc.integer({ min: 1, max: TOTAL - 1 }),
);
const times = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined });
const broken = fc
  .record({ fault: fc.constantFrom<FaultName[]>('cut', 'short', 'stall'), bytes, times, at: where })
  .map(({ fault, bytes, times, at }): Step => ({ fault, input: times ? { bytes, times } : { bytes }, at }));
const bad = fc
  .record({
    what: fc.constantFrom<[FaultName, FaultInput][]>(
      ['errors', {}],
      ['errors', { status: 503, times: 2 }],
      ['down', {}],
      ['storageHung', { times: 1 }],
      ['storageGone', {}],
      ['slow', { bytesPerSecond: 3_000_000 }],
      ['delay', { ms: 100 }],
    ),
    at: where,
  })
  .map(({ what: [fault, input], at }): Step => ({ fault, input, at }));
const corrupt = fc
  .record({
    what: fc.oneof(
      bytes.map((at): [FaultName, FaultInput] => ['corrupt', { bytes: at }]),
      fc.constantFrom(-1, 1, 70_000).map((by): [FaultName, FaultInput] => ['wrongLength', { bytes: by }]),
    ),
    at: where,
  })
  .map(({ what: [fault, input], at }): Step => ({ fault, input, at }));
const part = fc.tuple(fc.nat(TOTAL - 1), fc.integer({ min: 1, max: TOTAL }));
const parts = fc.oneof(
  { weight: 2, arbitrary: fc.array(part, { maxLength: 1 }) },
  fc.array(fc.tuple(fc.nat(TOTAL - 1), fc.integer({ min: 1, max: 100_000 })), { minLength: 2, maxLength: 12 }),
);
const asks = (ranges: fc.Arbitrary<Ask['ranges']>) =>
  fc
    .array(
      fc.record({
        version: fc.constantFrom<(1 | 2)[]>(1, 2),
        ranges,
        leaves: fc.constantFrom(false, false, false, true),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((asks): Step => ({ asks }));
const heal = where.map((at): Step => ({ heal: at }));

const MISCHIEF = fc.array(
  fc.oneof({ weight: 3, arbitrary: broken }, bad, heal, { weight: 4, arbitrary: asks(parts) }),
  {
    minLength: 6,
    maxLength: 14,
  },
);
// Without the whole blob, an error in a part cannot be seen.
const ROT = fc.array(
  fc.oneof({ weight: 2, arbitrary: broken }, { weight: 3, arbitrary: corrupt }, heal, {
    weight: 4,
    arbitrary: asks(fc.constant([])),
  }),
  { minLength: 6, maxLength: 14 },
);

interface Tally {
  complete: number;
  /** Those with several parts. */
  several: number;
  short: number;
  refused: number;
  left: number;
}

/** What is wrong with the reply; undefined if it may be so. */
async function asked(
  site: LabSite,
  clients: Record<1 | 2, Client>,
  ask: Ask,
  tally: Tally,
): Promise<string | undefined> {
  const { version, ranges, leaves } = ask;
  const set = ranges.map(([first, length]) => `${first}-${Math.min(first + length, TOTAL) - 1}`);
  const headers: Record<string, string> = set.length > 0 ? { range: `bytes=${set.join()}` } : {};
  if (leaves) {
    tally.left += 1;
    return leave(site, headers);
  }
  const reply = await clients[version].ask(BLOB, { headers });
  const says = `${JSON.stringify(ask)}: ${reply.status}, ${reply.body.length} bytes, complete: ${reply.complete}`;
  if (reply.headersAfter > timeLimit(9900)) return `${says}, late`;
  if (reply.status >= 400) {
    tally.refused += 1;
    return reply.status === 503 || reply.status === 404 ? undefined : says;
  }
  if (!reply.complete) {
    tally.short += 1;
    return undefined;
  }
  tally.complete += 1;
  if (set.length > 1 && reply.status === 206) tally.several += 1;
  return isRight(reply, set) ? undefined : `${says}, wrong bytes`;
}

/** @param set the ranges, such as `0-9` */
function isRight(reply: Reply, set: readonly string[]): boolean {
  // Several ranges may be longer than the blob.
  if (reply.status === 200) return set.length !== 1 && sha256(reply.body) === DIGEST;
  if (reply.status !== 206) return false;
  const got = set.length > 1 ? partsOf(reply) : [{ ...firstAndLast(set[0]), bytes: reply.body }];
  return (
    got.map(({ first, last }) => `${first}-${last}`).join() === set.join() &&
    got.every(({ first, last, bytes }) => bytes.equals(CONTENT.subarray(first, last + 1)))
  );
}

function firstAndLast(range = ''): { first: number; last: number } {
  const [first = 0, last = 0] = range.split('-').map(Number);
  return { first, last };
}

/** A client that goes away soon after it has the head. */
async function leave({ edge }: LabSite, headers: Record<string, string>): Promise<undefined> {
  const client = edge.http2();
  const stream = client.open(BLOB, { headers });
  const { promise, resolve } = Promise.withResolvers<undefined>();
  stream.on('error', () => undefined);
  stream.once('data', () => stream.close(8));
  stream.once('close', () => {
    client.close();
    resolve(undefined);
  });
  return promise;
}

async function rage(site: LabSite, steps: fc.Arbitrary<Step[]>, numRuns: number): Promise<Tally & { splices: number }> {
  const clients = { 1: site.edge.http1(), 2: site.edge.http2() };
  const tally: Tally = { complete: 0, several: 0, short: 0, refused: 0, left: 0 };
  const property = fc.asyncProperty(steps, async (some) => {
    await Promise.all([site.primary.faults.off(), site.fallback.faults.off()]);
    const replies: Promise<string | undefined>[] = [];
    for (const step of some) {
      if ('heal' in step) await site[step.heal].faults.off();
      else if ('fault' in step) await site[step.at].faults.on(step.fault, step.input);
      else {
        const these = step.asks.map((ask) => asked(site, clients, ask, tally));
        replies.push(...these);
        // What is asked is under way when the next thing happens, but not all of it.
        await Promise.race(these);
      }
    }
    const mistakes = (await Promise.all(replies)).filter((mistake) => mistake !== undefined);
    if (mistakes.length > 0) throw new Error(mistakes.join('; '));
  });
  await fc.assert(property, { numRuns, endOnFailure: true });
  await Promise.all([site.primary.faults.off(), site.fallback.faults.off()]);
  await nothingLeft(site.edge);
  const lines = site.edge.requests as { splices?: { to?: string }[] }[];
  const splices = lines.flatMap((line) => line.splices ?? []).filter(({ to }) => to !== undefined).length;
  return { ...tally, splices };
}

const PROBE = { interval: '50ms', fastInterval: '20ms', timeout: '200ms', rise: 1, fall: 1, holdDown: '0s' };
const upstream = {
  probe: PROBE,
  deadlines: { connect: '300ms', blob: '500ms', last: '600ms', stall: '150ms' },
  breaker: { open: '50ms', openMax: '100ms' },
  hedge: { share: 20, floor: '50ms' },
};

t.test('random breaks of bodies', async (t) => {
  const site = await startSpliceSite(t, { harbor: upstream, gcr: upstream });
  const tally = await rage(site, MISCHIEF, 20);
  t.comment(tally);
  t.ok(tally.complete > 20 && tally.splices > 5, 'most of it went well, and some of it by a splice');
  t.ok(tally.several > 3, 'some of it in several parts');
  t.notMatch(site.edge.log, /failed inside the edge/, 'no fault of the edge’s own');
});

t.test('corrupt copies', async (t) => {
  const site = await startSpliceSite(t, { harbor: upstream, gcr: upstream, config: { verify: 'always' } });
  const tally = await rage(site, ROT, 15);
  t.comment(tally);
  t.ok(tally.complete > 5 && tally.short > 0, 'some of it was found out');
  t.notMatch(site.edge.log, /failed inside the edge/, 'no fault of the edge’s own');
});
