import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { commandLine } from '../../helpers/command-line.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { missing, tool } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';
import { Fifo } from '../serve/serve-process.ts';
import { ANY, BIN } from './lab-process.ts';

t.test('the lab on a terminal, and on one that takes nothing', { skip: missing('script') }, async (t) => {
  const fifo = await Fifo.make(t);
  const lab = `exec ${BIN} lab ${ANY.join(' ')}`;
  const [program, args] = commandLine(tool('script'), ['-qefc', lab, '/dev/null']);
  const env = { ...process.env, TERM: 'xterm' };
  const child = spawn(program, args, { stdio: ['pipe', fifo.writeEnd, 'inherit'], env });
  t.teardown(() => child.kill('SIGKILL'));
  await fifo.readUntil((text) => text.includes('lab> '));
  child.stdin?.write('status\r');
  const text = await fifo.readUntil((text) => /gcr: no fault/.test(text));
  t.match(text, /status\r*\n/, 'what is typed is seen');
  child.stdin?.write('help\r'.repeat(300));
  const pid = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  // Time for the pipe that nothing reads to be full, and then the terminal.
  await sleep(timeLimit(1000));
  process.kill(Number(pid), 'SIGTERM');
  // `script` is stuck as well, and does not take its exit status.
  const stat = () => readFileSync(`/proc/${pid}/stat`, 'utf8');
  await until(() => / Z /.test(stat()), { timeout: 10_000, what: () => 'its end' });
  t.match(stat(), / 0\n$/, 'exit status 0');
});
