import fc from 'fast-check';
import t from 'tap';
import { currentReadOnly, type GateInput, nextGate, type ToldMode } from '../../src/failover/gate.ts';
import { EVERY_UPSTREAM, planPull, planPush } from '../../src/failover/plan.ts';
import type { Gate } from '../../src/failover/view.ts';
import { OciError } from '../../src/oci/error.ts';
import { propertyRuns } from '../helpers/property-runs.ts';
import { libraryRoute, upstream, views } from './made-view.ts';

const WELL: GateInput = {
  state: 'up',
  reason: 'well',
  readOnly: false,
  pushBreakerOpen: false,
  doubtful: false,
  unproven: undefined,
  refused: false,
};
const SETTLE = 5000;
const at = (mode: Gate['mode'], since: number, reason = 'x'): Gate => ({ mode, since, reason });

t.test('the write gate after each change of its inputs', async (t) => {
  const down: GateInput = { ...WELL, state: 'down', reason: 'no answer' };
  const unknown: GateInput = { ...WELL, state: 'unknown', reason: '' };
  const rows: [string, Gate | undefined, GateInput, number, Gate][] = [
    ['the start, well', undefined, WELL, 100, at('accepting', 100, 'well')],
    ['the start, down', undefined, down, 100, at('refusing', 100, 'no answer')],
    ['the start, unknown', undefined, unknown, 100, at('refusing', 100, 'not probed yet')],
    ['the first probe is good', at('refusing', 100, 'not probed yet'), WELL, 200, at('accepting', 200, 'well')],
    ['the first probe is bad', at('refusing', 100, 'not probed yet'), down, 200, at('refusing', 100, 'no answer')],
    ['down', at('accepting', 100), down, 200, at('refusing', 200, 'no answer')],
    [
      'nothing was ever read there',
      undefined,
      { ...WELL, unproven: 'it lists nothing' },
      200,
      at('refusing', 200, 'it lists nothing'),
    ],
    // A fallback may have answered blob HEADs meanwhile.
    [
      'something was read there',
      at('refusing', 100, 'it lists nothing'),
      WELL,
      200,
      at('settling', 200, 'back, and settling'),
    ],
    ['read-only', at('accepting', 100), { ...WELL, readOnly: true }, 200, at('refusing', 200, 'it is read-only')],
    [
      'writes fail',
      at('accepting', 100),
      { ...WELL, pushBreakerOpen: true },
      200,
      at('refusing', 200, 'writes to it fail'),
    ],
    [
      'its credentials open nothing',
      at('accepting', 100),
      { ...WELL, refused: true },
      200,
      at('refusing', 200, "it refuses the edge's credentials; an operator must renew them"),
    ],
    [
      'its canary fails',
      at('accepting', 100),
      { ...WELL, doubtful: true },
      200,
      at('refusing', 200, 'its canary cannot be read'),
    ],
    ['still down, for another reason', at('refusing', 100, 'a'), down, 200, at('refusing', 100, 'no answer')],
    ['back', at('refusing', 100, 'no answer'), WELL, 200, at('settling', 200, 'back, and settling')],
    ['settling', at('settling', 200), WELL, 200 + SETTLE - 1, at('settling', 200)],
    ['settled', at('settling', 200), WELL, 200 + SETTLE, at('accepting', 200 + SETTLE, 'well')],
    ['down while settling', at('settling', 200), down, 300, at('refusing', 300, 'no answer')],
    ['still well', at('accepting', 100), WELL, 9000, at('accepting', 100)],
  ];
  for (const [name, gate, input, now, expected] of rows)
    t.strictSame(nextGate(gate, input, SETTLE, now), expected, name);
  const refusing = at('refusing', 100, 'no answer');
  t.equal(nextGate(refusing, down, SETTLE, 200), refusing, 'still down for the same reason: nothing has changed');
  t.strictSame(
    nextGate(at('refusing', 100), WELL, 0, 200),
    at('accepting', 200, 'well'),
    'no settling if so configured',
  );
});

interface Event {
  ms: number;
  change: Partial<GateInput>;
}

const event: fc.Arbitrary<Event> = fc.record({
  ms: fc.oneof(fc.nat(500), fc.nat(8000)),
  change: fc.oneof(
    fc.constantFrom('up' as const, 'down' as const).map((state) => ({ state, reason: `probe: ${state}` })),
    fc.boolean().map((readOnly) => ({ readOnly })),
    fc.boolean().map((pushBreakerOpen) => ({ pushBreakerOpen })),
    fc.boolean().map((doubtful) => ({ doubtful })),
    fc.boolean().map((refused) => ({ refused })),
    fc.boolean().map((is) => ({ unproven: is ? 'it lists nothing' : undefined })),
    fc.constant({}),
  ),
});

/** What the two plans of the route say at one moment. */
function plans(input: GateInput, gate: Gate, now: number): { pushTo: string | undefined; headsFrom: string[] } {
  const harbor = upstream('harbor', { state: input.state, reason: input.reason, readOnly: input.readOnly, gate });
  const all = views(harbor, upstream('gcr'));
  const route = libraryRoute();
  const pull = {
    route,
    repository: 'library/app',
    class: 'control' as const,
    blobHead: true,
    forPush: false,
    visible: EVERY_UPSTREAM,
    client: 'ann',
  };
  const headsFrom = planPull(pull, all, 0, now).map((attempt) => attempt.upstream);
  try {
    return { pushTo: planPush(route, 'library/app', all, 0, { monotonic: now, wall: now }, 'ann').upstream, headsFrom };
  } catch (error) {
    if (error instanceof OciError && error.code === 'DENIED') return { pushTo: undefined, headsFrom };
    throw error;
  }
}

t.test('property: pushes admitted and blob HEADs from a fallback are never both, nor close together', async () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 6000 }),
      (events, settle) => {
        let input: GateInput = { ...WELL, state: 'down', reason: 'at the start' };
        let gate: Gate | undefined;
        let now = 0;
        let fallbackAnswered = Number.NEGATIVE_INFINITY;
        for (const { ms, change } of events) {
          now += ms;
          input = { ...input, ...change };
          gate = nextGate(gate, input, settle, now);
          const { pushTo, headsFrom } = plans(input, gate, now);
          const { state, readOnly, pushBreakerOpen, doubtful, unproven, refused } = input;
          const able = state === 'up' && !readOnly && !pushBreakerOpen && !doubtful && !unproven && !refused;
          if (pushTo !== undefined && (pushTo !== 'harbor' || !able)) return false;
          if (pushTo !== undefined && headsFrom.some((name) => name !== 'harbor')) return false;
          if (headsFrom.includes('gcr')) fallbackAnswered = now;
          // Who was told "exists" by the fallback cannot push within `settle` of that.
          if (pushTo !== undefined && now - fallbackAnswered < settle) return false;
          if (headsFrom.includes('gcr') !== (gate.mode === 'refusing')) return false;
        }
        return true;
      },
    ),
    { numRuns: propertyRuns(1000) },
  );
});

t.test('property: an upstream that is well for long enough takes writes again', async () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), fc.nat(6000), (events, settle) => {
      let input = WELL;
      let gate: Gate | undefined;
      let now = 0;
      for (const { ms, change } of events) {
        now += ms;
        input = { ...input, ...change };
        gate = nextGate(gate, input, settle, now);
      }
      for (const later of [1, settle + 2]) gate = nextGate(gate, WELL, settle, now + later);
      return gate?.mode === 'accepting';
    }),
  );
});

t.test('what a Harbor said of its read-only mode counts for a while', (t) => {
  const rows: [told: ToldMode | undefined, interval: number, now: number, expected: boolean | undefined][] = [
    [undefined, 2000, 5, undefined],
    [{ readOnly: true, at: 100 }, 2000, 100, true],
    [{ readOnly: false, at: 100 }, 2000, 60_100, false],
    [{ readOnly: true, at: 100 }, 2000, 60_101, undefined],
    [{ readOnly: false, at: 100 }, 30_000, 90_100, false],
    [{ readOnly: false, at: 100 }, 30_000, 90_101, undefined],
  ];
  for (const [told, interval, now, expected] of rows) t.equal(currentReadOnly(told, interval, now), expected);
  t.end();
});
