import t from 'tap';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { crashRounds } from './crash/crash-rounds.ts';

t.test(
  'a copy that is killed at any moment',
  { skip: missing('docker-registry'), timeout: timeLimit(110_000) },
  async (t) => {
    const rounds = await crashRounds(t, { rounds: 3, images: 8 });
    t.equal(rounds.length, 3);
    for (const { number, killedAfter, problems, tags } of rounds)
      t.strictSame(problems, [], `round ${number}, killed after ${killedAfter.toFixed(0)} ms at ${tags} tags`);
  },
);
