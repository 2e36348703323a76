import t from 'tap';
import {
  answersReferrers,
  type CopiedReferrers,
  nextReferrersStep,
  type ReferrersStep,
} from '../../src/failover/referrers.ts';
import type { Gate, ReplicaView } from '../../src/failover/view.ts';
import { replica, upstream } from './made-view.ts';

t.test('the steps of an answer in place of the primary', async (t) => {
  const rows: [CopiedReferrers['primary'], CopiedReferrers['list'], CopiedReferrers['index'], ReferrersStep][] = [
    ['has', undefined, undefined, 'ask-list'],
    ['has', 'entries', undefined, 'list'],
    ['has', 'empty', undefined, 'list'],
    ['has', 'absent', undefined, 'ask-index'],
    ['has', 'absent', 'there', 'index'],
    ['has', 'absent', 'absent', 'empty-list'],
    ['has', 'absent', 'failed', 'failed'],
    ['has', 'failed', undefined, 'ask-index'],
    ['has', 'failed', 'there', 'index'],
    ['has', 'failed', 'absent', 'failed'],
    ['unknown', undefined, undefined, 'ask-list'],
    ['unknown', 'entries', undefined, 'list'],
    ['unknown', 'empty', undefined, 'ask-index'],
    ['unknown', 'empty', 'there', 'index'],
    ['unknown', 'empty', 'absent', 'list'],
    ['unknown', 'empty', 'failed', 'failed'],
    ['unknown', 'absent', 'absent', 'empty-list'],
    ['unknown', 'failed', 'absent', 'failed'],
    ['lacks', undefined, undefined, 'ask-index'],
    ['lacks', undefined, 'there', 'index'],
    ['lacks', undefined, 'absent', 'no-api'],
    ['lacks', undefined, 'failed', 'failed'],
  ];
  for (const [primary, list, index, step] of rows)
    t.equal(nextReferrersStep({ primary, list, index }), step, `${primary} ${list} ${index}`);
});

t.test('every answer is reached, and says 404 only for a primary that lacks the API', async (t) => {
  for (const primary of ['has', 'lacks', 'unknown'] as const)
    for (const list of ['entries', 'empty', 'absent', 'failed'] as const)
      for (const index of ['there', 'absent', 'failed'] as const) {
        const known: CopiedReferrers = { primary, list: undefined, index: undefined };
        const steps: ReferrersStep[] = [];
        for (let step = nextReferrersStep(known); ; step = nextReferrersStep(known)) {
          steps.push(step);
          if (step === 'ask-list') known.list = list;
          else if (step === 'ask-index') known.index = index;
          else break;
        }
        const name = `${primary} ${list} ${index}: ${steps}`;
        t.equal(new Set(steps).size, steps.length, name);
        const end = steps.at(-1);
        t.equal(end === 'no-api', primary === 'lacks' && index === 'absent', name);
        if (end === 'list') t.match(known.list, /entries|empty/, name);
        if (end === 'index') t.equal(known.index, 'there', name);
        if (end === 'failed') t.ok([known.list, known.index].includes('failed'), name);
      }
});

t.test('when the primary itself answers', async (t) => {
  const gate = (mode: Gate['mode']): Gate => ({ mode, since: 0, reason: '' });
  const answers = (mode: Gate['mode'], ...replicas: Partial<ReplicaView>[]) =>
    answersReferrers(
      upstream('harbor', { gate: gate(mode), replicas: replicas.map((one) => replica('https://h', one)) }),
    );
  for (const mode of ['accepting', 'settling'] as const) t.ok(answers(mode, { state: 'down' }), mode);
  t.ok(answers('refusing', {}), 'read-only, say');
  t.notOk(answers('refusing', { state: 'down' }));
  t.notOk(answers('refusing', { state: 'unknown' }));
  t.notOk(answers('refusing', { suspected: true }));
  t.notOk(answers('refusing', { proof: { state: 'unproven', since: 0, reason: '' } }));
  t.ok(answers('refusing', { state: 'down' }, {}), 'one URL is enough');
});
