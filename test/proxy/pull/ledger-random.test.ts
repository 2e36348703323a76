import fc from 'fast-check';
import t from 'tap';
import { propertyRuns } from '../../helpers/property-runs.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { POLICIES, startLedgerSite } from './ledger-site.ts';
import { allQuiet } from './paced-upstream.ts';
import { type Step, TagModel } from './tag-model.ts';

// Random histories of a tag at two registries, with outages: it never goes back in time in silence.

const MOVES = ['push', 'push', 'push', 'push-past', 'copy', 'copy-by-digest', 'misplace', 'misplace'] as const;
const move = fc.record({ do: fc.constantFrom(...MOVES), image: fc.nat(2) });
const deletion = fc.record({ do: fc.constantFrom('delete', 'delete-past') });
const read = fc.record({
  do: fc.constant('read'),
  method: fc.constantFrom('GET', 'GET', 'HEAD'),
  client: fc.constantFrom(0, 1),
});
const fault = fc.record({ do: fc.constantFrom('outage', 'outage', 'slow', 'recover') });
const reads = fc.array(read, { minLength: 1, maxLength: 2 });
/** Both registries change; then the primary may fail, and a client asks for the tag. */
const act = fc
  .tuple(
    fc.array(move, { minLength: 1, maxLength: 4 }),
    fc.option(deletion, { freq: 4 }),
    reads,
    fault,
    fc.array(move, { maxLength: 1 }),
    reads,
  )
  .map(([moves, gone, watched, trouble, late, asked]) =>
    [...moves, gone ?? [], watched, trouble, ...late, asked, { do: 'recover' }].flat(),
  ) as fc.Arbitrary<Step[]>;

/** The fallback keeps an older image when the primary fails, so that every run of this test meets what it is about. */
const TEMPTED: [(typeof POLICIES)[number], Step[][]][] = POLICIES.map((policy) => [
  policy,
  [
    [
      { do: 'push', image: 0 },
      { do: 'copy', image: 0 },
      { do: 'push', image: 1 },
      { do: 'outage' },
      { do: 'read', method: 'GET', client: 0 },
      { do: 'recover' },
    ],
  ],
]);

t.test('no tag goes back in time in silence', { timeout: timeLimit(60_000) }, async (t) => {
  const unbroken = { breaker: { consecutive: 1000, volume: 1000 } };
  const site = await startLedgerSite(t, { harbor: { hedge: { floor: '20ms', share: 100 }, ...unbroken } });
  const clients = [site.lab.edge.http1(), site.lab.edge.http2()];
  let runs = 0;
  let asked = 0;
  let tempted = 0;
  const run = async (policy: (typeof POLICIES)[number], acts: Step[][]) => {
    runs += 1;
    const model = new TagModel(site, clients, policy, `app${runs}`);
    await model.recover();
    for (const [index, one] of acts.flat().entries()) {
      const wrong = await model.take(one);
      if (wrong !== undefined) throw new Error(`step ${index}: ${wrong}`);
    }
    asked += model.reads;
    tempted += model.tempted;
  };
  const history = fc.array(act, { minLength: 2, maxLength: 4 });
  await fc.assert(fc.asyncProperty(fc.constantFrom(...POLICIES), history, run), {
    numRuns: propertyRuns(15) + TEMPTED.length,
    examples: TEMPTED,
    endOnFailure: true,
  });
  t.ok(asked > 50 && tempted > 0, `${asked} reads, ${tempted} of something older`);
  await site.harbor.faults.off();
  await allQuiet(site.lab.edge);
});
