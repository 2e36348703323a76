import t from 'tap';
import { timeLimit } from '../../helpers/time-limit.ts';
import { EVENTS } from './events/all.ts';
import { obstacle, runEvents } from './pair-run.ts';

/** Runs the events of a group on a pair of its own, and wants of each what docs/deploy-pair.md promises. */
export async function testGroup(group: string): Promise<void> {
  const keys = EVENTS.filter((event) => event.group === group).map(({ key }) => key);
  const options = { skip: await obstacle(), timeout: timeLimit(240_000) };
  await t.test(`a pair under keepalived: ${keys.join(', ')}`, options, async (t) => {
    const { rows, output } = await runEvents(t, keys);
    t.ok(rows.length >= keys.length);
    for (const { event, measured, checks } of rows) {
      t.comment(measured);
      for (const { what, ok } of checks) t.ok(ok, `${event}: ${what}`);
    }
    if (!t.passing()) t.comment(output);
  });
}
