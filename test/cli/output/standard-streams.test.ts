import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { command, tryCommand } from '../../helpers/command.ts';
import { commandLine } from '../../helpers/command-line.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { BIN, Fifo } from '../serve/serve-process.ts';

/** A file of so many users, whose list is longer than a pipe. */
function usersFile(folder: string): string {
  const file = join(folder, 'users');
  const hash = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy';
  writeFileSync(file, Array.from({ length: 20_000 }, (_, index) => `user-${index}:${hash}\n`).join(''), {
    mode: 0o600,
  });
  return file;
}

t.test('a slow reader of a command gets all that it printed', async (t) => {
  const file = usersFile(temporaryFolder(t));
  const fifo = await Fifo.make(t);
  const [program, args] = commandLine(BIN, ['user', 'list', '--json', '--file', file]);
  const child = spawn(program, args, { stdio: ['ignore', fifo.writeEnd, 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await fifo.readUntil((text) => text.endsWith(']\n'));
  t.equal(JSON.parse(fifo.text).length, 20_000);
  t.same(await ended, [0, null]);
});

t.test('a signal ends the wait for a reader', async (t) => {
  const file = usersFile(temporaryFolder(t));
  const fifo = await Fifo.make(t);
  const [program, args] = commandLine(BIN, ['user', 'list', '--json', '--file', file]);
  const child = spawn(program, args, { stdio: ['ignore', fifo.writeEnd, 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await fifo.readUntil((text) => text.length > 0);
  child.kill('SIGTERM');
  await ended;
  t.match([child.exitCode, child.signalCode], child.signalCode ? [null, 'SIGTERM'] : [1, null]);
});

t.test('a reader that has enough, and a full disk', async (t) => {
  const file = usersFile(temporaryFolder(t));
  const list = (rest: string) => tryCommand('/bin/bash', ['-c', `"${BIN}" user list --file "${file}" ${rest}`]);
  const head = await list('| head -1; exit ${PIPESTATUS[0]}');
  t.match(head, { status: 1, output: 'user-0\n' }, 'no stack of an error');
  t.match(await list('>/dev/full'), { status: 1, stdout: '' }, 'it does not pass for a success');
});

t.test('an error message that nothing reads', async (t) => {
  const fifo = await Fifo.make(t);
  await command('/bin/bash', ['-c', `head -c 65536 /dev/zero >${fifo.path}`]);
  const stuck = await tryCommand('/bin/bash', ['-c', `"${BIN}" serve --config /nowhere.yaml 2>${fifo.path}`]);
  t.equal(stuck.status, 2);
  t.equal((await tryCommand('/bin/bash', ['-c', `"${BIN}" serve --config /nowhere.yaml 2>/dev/full`])).status, 2);
});
