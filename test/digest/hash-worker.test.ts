import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const root = join(import.meta.dirname, '../..');
const ABC = createHash('sha256').update('abc').digest('hex');

/** A process with nothing to do but one digest: it waits for that, and ends although the thread is there. */
function script(hasher: string): string {
  return `
    const { Hasher } = await import(${JSON.stringify(pathToFileURL(hasher).href)});
    const bytes = Buffer.from(new SharedArrayBuffer(3));
    bytes.write('abc');
    const chunk = { bytes, retain: () => chunk, release: () => console.log('released') };
    const job = new Hasher().begin('sha256');
    job.update(chunk);
    console.log(await job.digest());
  `;
}

t.test('the thread works from the sources, and does not keep the process alive', async (t) => {
  const { stdout } = await command(process.execPath, ['-e', script(join(root, 'src/digest/hasher.ts'))], { cwd: root });
  t.equal(stdout, `released\n${ABC}\n`);
});

t.test('the thread works as it is built', async (t) => {
  const folder = temporaryFolder(t);
  const config = join(folder, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.build.json'),
      compilerOptions: {
        rootDir: join(root, 'src'),
        outDir: join(folder, 'dist'),
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: [join(root, 'src/digest')],
    }),
  );
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  await command(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], { cwd: root });
  const { stdout } = await command(process.execPath, ['-e', script(join(folder, 'dist/digest/hasher.js'))], {
    cwd: root,
  });
  t.equal(stdout, `released\n${ABC}\n`);
});

t.test('the thread forgets jobs that were dropped, and dies of one that it does not know', async (t) => {
  const worker = new Worker(new URL('../../src/digest/hash-worker.js', import.meta.url));
  const nothing = { begun: [], jobs: [], pieces: [], finished: [], dropped: [] };
  const piece = { jobs: [1], pieces: [Buffer.from('abc')] };
  worker.postMessage({ ...nothing, ...piece, begun: [[1, 'sha256']] });
  t.same(await once(worker, 'message'), [[]]);
  worker.postMessage({ ...nothing, dropped: [1] });
  t.same(await once(worker, 'message'), [[]]);
  worker.postMessage({ ...nothing, ...piece });
  t.match(await once(worker, 'error'), [{ message: 'hash job 1 is not known' }]);
});
