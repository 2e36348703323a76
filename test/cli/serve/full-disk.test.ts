import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';
import { ServeProcess, stopped } from './serve-process.ts';

// A disk of its own for the log: a small tmpfs, which only the process sees.

const namespace = await tryCommand('unshare', ['-m', 'true']);

t.test('a disk that is full, and is not any more', { skip: namespace.status !== 0 && 'needs root' }, async (t) => {
  const disk = temporaryFolder(t);
  const shell = `exec unshare -m sh -c 'mount -t tmpfs -o size=256k none ${disk} && exec "$@" >>${disk}/log 2>&1' "$0" "$@"`;
  const serve = await ServeProcess.start(t, { stdout: 'pipe', shell });
  // The disk as the process sees it.
  const seen = `/proc/${serve.child.pid}/root${disk}`;
  const log = () => readFileSync(join(seen, 'log'), 'utf8');
  await until(() => log().includes('"listening"'));
  try {
    writeFileSync(join(seen, 'ballast'), Buffer.alloc(1_000_000));
  } catch {
    // Now it is full.
  }
  t.equal(await serve.requests(3_000), 3_000);
  t.equal(await serve.ready(), 200);
  const dropped = await serve.metric('breakwater_log_lines_dropped_total');
  t.ok(dropped > 0);
  rmSync(join(seen, 'ballast'));
  await serve.requests(20);
  // It holds more than the disk does, so that the log is made empty again and again, as logrotate's copytruncate does.
  let text = '';
  await until(
    () => {
      text += log();
      writeFileSync(join(seen, 'log'), '');
      return /"dropped":/.test(text);
    },
    { every: 200, what: () => 'the report' },
  );
  t.match(text, /"level":"warn".*dropped since .*could not be written \(ENOSPC\)/);
  t.equal((await stopped(serve)).status, 0);
});
