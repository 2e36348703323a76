import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Finished, tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { ANY, BIN, LabProcess } from './lab-process.ts';

/** A folder for temporary files of its own, and commands in it that no configuration is given to. */
function terminal(t: Test): { folder: string; env: NodeJS.ProcessEnv; run: (...args: string[]) => Promise<Finished> } {
  const folder = temporaryFolder(t);
  const env = { TMPDIR: folder, XDG_RUNTIME_DIR: '', BREAKWATER_CONFIG: undefined };
  const run = (...args: string[]) => tryCommand(BIN, args, { cwd: folder, env: { ...process.env, ...env } });
  return { folder, env, run };
}

function announced(folder: string): string {
  const [name = ''] = readdirSync(folder).filter((one) => one.startsWith('breakwater-lab-'));
  return join(folder, name);
}

t.test('commands in another terminal find the lab', async (t) => {
  const { folder, env, run } = terminal(t);
  t.match(await run('status'), { status: 2, output: /there is no configuration/ }, 'there is none yet');
  const lab = new LabProcess(t, [...ANY, '--json'], env);
  const { admin } = JSON.parse(await lab.line(/"listening"/));

  t.match(await run('status'), { status: 0, output: /localhost: serving/ });
  t.match(await run('explain', 'library/hello:latest'), { status: 0, output: /takes the route "library\/"/ });
  t.match(await run('coverage'), { output: /library\// });
  const file = announced(folder);
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), { pid: lab.child.pid, admin: `http://${admin}` });
  t.equal(statSync(file).mode & 0o777, 0o600);

  const configured = await run('status', '--config', 'mine.yaml');
  t.match(
    configured,
    { status: 2, output: /no configuration at mine\.yaml/ },
    'a configuration that is named comes first',
  );
  writeFileSync(join(folder, 'breakwater.yaml'), 'hostname: 7');
  t.match(await run('status'), { status: 2, output: /hostname/ }, 'and so does one that lies there');
  t.equal(await lab.end('SIGTERM'), 0);
  t.strictSame(readdirSync(folder), ['breakwater.yaml'], 'the lab leaves nothing behind');
});

t.test('what a lab that was killed left, and what another user could have written, is ignored', async (t) => {
  const { folder, env, run } = terminal(t);
  const lab = new LabProcess(t, [...ANY, '--json'], env);
  await lab.line(/"listening"/);
  const file = announced(folder);
  chmodSync(file, 0o644);
  t.match(await run('status'), { status: 2, output: /there is no configuration/ }, 'readable by others');
  chmodSync(file, 0o600);
  t.equal((await run('status')).status, 0);
  lab.child.kill('SIGKILL');
  await new Promise((resolve) => lab.child.once('exit', resolve));
  t.match(await run('status'), { status: 2, output: /there is no configuration/ }, 'no such process');
});
