import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { FileWatch } from '../../src/server/file-watch.ts';
import { timeLimit } from '../helpers/time-limit.ts';

const INTERVAL_MS = timeLimit(20);

async function watch(t: Test, files: string[]) {
  const told: string[][] = [];
  let waiting: ((files: string[]) => void) | undefined;
  const onChange = (changed: string[]) => {
    told.push(changed);
    waiting?.(changed);
  };
  const fileWatch = new FileWatch(files, onChange, INTERVAL_MS);
  await fileWatch.start();
  // The watch does not keep the process alive, so the test does.
  const alive = setInterval(() => {}, 1_000);
  t.teardown(() => {
    fileWatch.close();
    clearInterval(alive);
  });
  return {
    fileWatch,
    told,
    change: () =>
      new Promise<string[]>((resolve) => {
        waiting = resolve;
      }),
  };
}

/** Long enough for several looks. */
const quiet = () => sleep(INTERVAL_MS * 8);

t.test('tells of other content, written in place or renamed over', async (t) => {
  const dir = t.testdir({ 'tls.crt': 'one', 'tls.key': 'one' });
  const crt = join(dir, 'tls.crt');
  const { change } = await watch(t, [crt, join(dir, 'tls.key')]);
  let changed = change();
  await writeFile(crt, 'two');
  t.same(await changed, [crt], 'the same length in place');
  changed = change();
  await writeFile(`${crt}.new`, 'three');
  await rename(`${crt}.new`, crt);
  t.same(await changed, [crt]);
});

t.test('tells once of a certificate and its key', async (t) => {
  const dir = t.testdir({ 'tls.crt': 'one', 'tls.key': 'one' });
  const [crt, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
  const { change, told } = await watch(t, [crt, key]);
  const changed = change();
  await writeFile(crt, 'two');
  await writeFile(key, 'two');
  await changed;
  await quiet();
  t.same(told, [[crt, key]]);
});

t.test("sees the swap of a Kubernetes secret's link", async (t) => {
  const dir = t.testdir({ v1: { 'tls.crt': 'one' }, v2: { 'tls.crt': 'two' } });
  await symlink('v1', join(dir, '..data'));
  await symlink('..data/tls.crt', join(dir, 'tls.crt'));
  const file = join(dir, 'tls.crt');
  const { change } = await watch(t, [file]);
  const changed = change();
  await symlink('v2', join(dir, '..data_tmp'));
  await rename(join(dir, '..data_tmp'), join(dir, '..data'));
  t.same(await changed, [file]);
});

t.test('says nothing of a touch, of a rewrite with the same content, or of a file that is missing', async (t) => {
  const dir = t.testdir({ 'tls.crt': 'one' });
  const file = join(dir, 'tls.crt');
  const { told, change } = await watch(t, [file]);
  await utimes(file, 1, 1);
  await quiet();
  await writeFile(file, 'one');
  await quiet();
  await rm(file);
  await quiet();
  t.same(told, []);
  await writeFile(file, 'one');
  await quiet();
  t.same(told, [], 'it came back as it was');
  await rm(file);
  await mkdir(file);
  await quiet();
  t.same(told, [], 'and a directory in its place is as good as missing');
  await rm(file, { recursive: true });
  const changed = change();
  await writeFile(file, 'two');
  t.same(await changed, [file]);
});

t.test('is silent once it is closed', async (t) => {
  const dir = t.testdir({ 'tls.crt': 'one' });
  const file = join(dir, 'tls.crt');
  const { fileWatch, told } = await watch(t, [file]);
  await writeFile(file, 'two');
  fileWatch.close();
  await quiet();
  t.same(told, []);
});
