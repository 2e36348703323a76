import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { commandLine } from '../../helpers/command-line.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { Fifo } from '../serve/serve-process.ts';
import { ANY, BIN } from './lab-process.ts';

t.test('a lab whose output nothing reads for a while', async (t) => {
  const fifo = await Fifo.make(t);
  const [program, args] = commandLine(BIN, ['lab', ...ANY, '--json']);
  const child = spawn(program, args, { stdio: ['pipe', fifo.writeEnd, 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  // Each is answered by a line. What the lab has not read yet fits into its standard input.
  const typeMuch = () => new Promise((resolve) => child.stdin?.write('harbor tired on\n'.repeat(30_000), resolve));
  await fifo.readUntil((text) => text.includes('"listening"'));
  await typeMuch();
  await fifo.readUntil((text) => /"lab":"\d+ lines were dropped since .*: nothing read them"/.test(text));
  await typeMuch();
  const ended = once(child, 'exit');
  const began = performance.now();
  child.kill('SIGTERM');
  t.same(await ended, [0, null]);
  t.ok(performance.now() - began < timeLimit(5_000));
});
