import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { tryCommand } from '../../helpers/command.ts';
import { startLabSite } from '../../helpers/lab-site.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';

const folder = join(import.meta.dirname, '../../../deploy/prometheus');
const skip = missing('promtool');

t.test('promtool takes the rules, and their tests pass', { skip }, async (t) => {
  const rules = await tryCommand(tool('promtool'), ['check', 'rules', join(folder, 'breakwater.rules.yml')]);
  t.match(rules, { status: 0, output: /SUCCESS/ });
  const tests = await tryCommand(tool('promtool'), ['test', 'rules', join(folder, 'breakwater.rules.test.yml')]);
  t.match(tests, { status: 0, output: /SUCCESS/ });
});

t.test('promtool takes the scrape configuration', { skip }, async (t) => {
  const copy = temporaryFolder(t);
  for (const name of ['scrape.yml', 'breakwater.rules.yml']) await copyFile(join(folder, name), join(copy, name));
  await writeFile(join(copy, 'metrics.token'), 'a token that opens only metrics\n');
  t.match(await tryCommand(tool('promtool'), ['check', 'config', join(copy, 'scrape.yml')]), { status: 0 });
});

t.test('promtool finds fault with no name of the edge', { skip }, async (t) => {
  const { edge } = await startLabSite(t);
  await edge.http1().ask('/v2/library/app/manifests/1');
  const { body } = await edge.admin('/metrics');
  const check = promisify(execFile)(tool('promtool'), ['check', 'metrics']);
  check.child.stdin?.end(body);
  const { stdout, stderr } = await check.catch((error: { stdout: string; stderr: string }) => error);
  const faults = `${stdout}${stderr}`.split('\n').filter(Boolean);
  // Names of prom-client, which docs/monitoring.md tells of.
  t.same(
    faults.filter((line) => !/^nodejs_active_(handles|requests|resources)_total /.test(line)),
    [],
  );
  t.equal(faults.length, 3, 'it was run, and still finds these');
});
