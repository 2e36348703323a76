import fc from 'fast-check';
import t from 'tap';
import { POLICIES, startLedgerSite } from './ledger-site.ts';
import { allQuiet } from './paced-upstream.ts';
import { type Step, TagModel } from './tag-model.ts';

// Random histories of a tag at two registries, with outages: it never goes back in time in silence.

const move = fc.record({
  do: fc.constantFrom('push', 'push', 'push-past', 'copy', 'copy', 'copy-by-digest', 'misplace'),
  image: fc.nat(3),
});
const read = fc.record({
  do: fc.constant('read'),
  method: fc.constantFrom('GET', 'GET', 'HEAD'),
  client: fc.constantFrom(0, 1),
});
const other = fc.record({ do: fc.constantFrom('delete', 'delete-past', 'outage', 'slow', 'recover', 'recover') });
const step = fc.oneof(
  { weight: 4, arbitrary: move },
  { weight: 6, arbitrary: read },
  { weight: 3, arbitrary: other },
) as fc.Arbitrary<Step>;

t.test('no tag goes back in time in silence', { timeout: 60_000 }, async (t) => {
  const unbroken = { breaker: { consecutive: 1000, volume: 1000 } };
  const site = await startLedgerSite(t, { harbor: { hedge: { floor: '20ms', share: 100 }, ...unbroken } });
  const clients = [site.lab.edge.http1(), site.lab.edge.http2()];
  let runs = 0;
  let reads = 0;
  const run = async (policy: (typeof POLICIES)[number], steps: Step[]) => {
    runs += 1;
    await site.harbor.faults.off();
    const model = new TagModel(site, clients, policy, `app${runs}`);
    for (const [index, one] of steps.entries()) {
      const wrong = await model.take(one);
      if (wrong !== undefined) throw new Error(`step ${index}: ${wrong}`);
    }
    reads += model.reads;
  };
  const history = fc.array(step, { minLength: 5, maxLength: 25 });
  await fc.assert(fc.asyncProperty(fc.constantFrom(...POLICIES), history, run), { numRuns: 30, endOnFailure: true });
  t.ok(reads > 50, `${reads} reads`);
  await site.harbor.faults.off();
  await allQuiet(site.lab.edge);
});
