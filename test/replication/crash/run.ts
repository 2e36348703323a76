// node test/replication/crash/run.ts [ROUNDS]: the copy of a set of images is killed in the middle, again and again. Default 50 times.
import { Scope } from '../../../bench/scope.ts';
import { crashRounds } from './crash-rounds.ts';

const rounds = Number(process.argv[2] ?? 50);
const scope = new Scope();
try {
  const done = await crashRounds(scope, {
    rounds,
    images: 10,
    onRound: ({ number, killedAfter, tags, of, problems }) => {
      const what = problems.length === 0 ? 'complete' : problems.join('; ');
      process.stdout.write(`${number}: killed after ${killedAfter.toFixed(0)} ms, at ${tags} of ${of} tags: ${what}\n`);
    },
  });
  const wrong = done.filter(({ problems }) => problems.length > 0).length;
  process.stdout.write(`${done.length} rounds, ${wrong} with problems\n`);
  if (wrong > 0) process.exitCode = 1;
} finally {
  await scope.close();
}
