import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { changeDns } from '../../src/acme/dns-command.ts';
import { withoutDescriptors } from '../helpers/no-descriptors.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

/** A program of these lines of shell. */
function program(owner: Parameters<typeof temporaryFolder>[0], lines: string): string {
  const path = join(temporaryFolder(owner), 'change-dns');
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

const RECORD = '_acme-challenge.cr.test';

t.test('the command gets what to do, and an environment without secrets', async (t) => {
  const path = program(t, 'printf "%s\\n" "$@" > "$0.args"; env > "$0.env"');
  const env = { PATH: process.env.PATH ?? '', HOME: '/home/edge', SECRET: 'hidden' };
  await changeDns({ command: [path, '--zone', 'a;b'], timeout: 5_000, env }, 'add', RECORD, 'value $HOME');
  t.equal(readFileSync(`${path}.args`, 'utf8'), `--zone\na;b\nadd\n${RECORD}\nvalue $HOME\n`, 'no shell reads it');
  const seen = readFileSync(`${path}.env`, 'utf8');
  t.match(seen, /^HOME=\/home\/edge$/m);
  t.notMatch(seen, /hidden/);
});

t.test('failures are explained', async (t) => {
  const run = (lines: string, timeout = 5_000) =>
    changeDns({ command: [program(t, lines)], timeout }, 'add', RECORD, 'v');
  await t.rejects(run('echo "no such zone" >&2; exit 3'), {
    message: /^the DNS command \S+ add _acme-challenge\.cr\.test failed with exit status 3: no such zone$/,
  });
  await t.rejects(run('kill -9 $$'), { message: /was ended by SIGKILL$/ });
  await t.rejects(changeDns({ command: ['/no/such/program'], timeout: 100 }, 'add', RECORD, 'v'), {
    message: /cannot be started: ENOENT$/,
  });
  const red = await run('printf "\\033[31mred"; exit 1').catch((error: Error) => error.message);
  t.notMatch(red, /\u001b/, 'nothing that a terminal obeys');
});

t.test('a command that hangs is ended with what it has started, and one that floods is bounded', async (t) => {
  const path = program(t, 'sleep 60 & echo $! > "$0.pid"; wait');
  await t.rejects(changeDns({ command: [path], timeout: 300 }, 'remove', RECORD, 'v'), {
    message: /remove _acme-challenge\.cr\.test took longer than 300 ms and was ended/,
  });
  const pid = Number(readFileSync(`${path}.pid`, 'utf8'));
  // A killed child of a killed parent may stay as a zombie until init has looked.
  const state = () => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0];
    } catch {
      return 'gone';
    }
  };
  await until(() => /Z|X|gone/.test(state() ?? ''), { what: () => 'its child to be gone' });
  const flood = program(t, 'head -c 5000000 /dev/zero | tr "\\0" x; echo; echo the end; exit 1');
  const message = await changeDns({ command: [flood], timeout: 20_000 }, 'add', RECORD, 'v').catch(
    (error: Error) => error.message,
  );
  t.ok(String(message).length < 500);
  t.match(message, /the end$/);
});

t.test('without a free descriptor it is an error that says so, and nothing escapes', async (t) => {
  const said = await withoutDescriptors(
    { changeDns: import.meta.resolve('../../src/acme/dns-command.ts') },
    `changeDns({ command: ['/bin/true'], timeout: 50 }, 'add', '${RECORD}', 'v')`,
  );
  t.match(said, /^the DNS command \/bin\/true add \S+ cannot be started: EMFILE$/);
});
