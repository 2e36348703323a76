import t from 'tap';
import { monotonicNow } from '../../../src/clock/clock.ts';
import type { CanaryReading } from '../../../src/upstream/health/byte-range-probe.ts';
import type { Canary } from '../../../src/upstream/health/canary.ts';
import { CanaryReads } from '../../../src/upstream/health/canary-reads.ts';
import type { ProbeAccess } from '../../../src/upstream/health/probe-access.ts';

t.test('a read that is under way counts for a caller if it began late enough', async (t) => {
  const answers: ((reading: CanaryReading) => void)[] = [];
  const canary = { read: () => new Promise<CanaryReading>((resolve) => answers.push(resolve)) } as unknown as Canary;
  const reads = new CanaryReads({
    canary,
    access: () => ({ get: async () => undefined }) as unknown as ProbeAccess,
    limit: () => 60_000,
    onRead: () => undefined,
  });
  const began = monotonicNow();
  const first = await reads.begin(began);
  t.equal(await reads.begin(began), first, 'it began at that time or later');
  const second = reads.begin(monotonicNow() + 1);
  t.equal(answers.length, 1, 'another caller waits for a read that begins after its call');
  answers[0]?.({ state: 'failing', reason: 'gone' });
  t.equal(await first.soon, 'failing');
  t.not(await second, first);
  t.equal(await reads.begin(began), await second, 'a read that has ended counts no more');
  answers[1]?.({ state: 'good', reason: 'read' });
  t.equal(await (await second).soon, 'good');
});
