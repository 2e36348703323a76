import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { commandLine } from '../../helpers/command-line.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { Fifo } from '../serve/serve-process.ts';

t.test('a thread that is inside a write does not keep the process', async (t) => {
  const fifo = await Fifo.make(t);
  const [program, args] = commandLine(process.execPath, [join(import.meta.dirname, 'blocked-process.ts')]);
  const child = spawn(program, args, { stdio: ['ignore', fifo.writeEnd, 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await Promise.race([once(child, 'exit'), sleep(timeLimit(10_000), undefined, { ref: false })]);
  t.equal(child.signalCode, 'SIGKILL', 'it ended itself');
});
