import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../helpers/markdown.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { measuredPart } from './measured.ts';
import { PAGE, pageCommands } from './page-commands.ts';
import { followQuickstart, obstacle } from './quickstart.ts';

const MOST_COMMANDS = 12;
const MOST_MS = 600_000;

t.test(
  'docs/quickstart.md leads to three clients that pull while the primary hangs',
  { skip: await obstacle() },
  async (t) => {
    const { followed, pulled, expected, log } = await followQuickstart(t);
    for (const { command, status, output } of followed) {
      t.equal(status, 0, `${command}\n${output}`);
      t.notMatch(output, /level=(error|warn)/, command);
    }
    t.strictSame(
      followed.map(({ command }) => command),
      pageCommands(),
      'every command of the page was typed',
    );
    t.match(expected, /^sha256:/);
    t.strictSame(pulled, { docker: expected, containerd: expected, podman: expected }, 'all clients have the image');
    const init = followed.find(({ command }) => command.startsWith('bin/breakwater init'));
    t.match(init?.output, /^0 errors, 0 warnings$/m, 'check finds nothing on a well site');
    const served = log
      .split('\n')
      .filter((line) => line.includes('"library/app"') && line.includes('"upstream":"fallback"'));
    t.ok(served.length > 0, 'the fallback has served them');
    const took = followed.reduce((sum, one) => sum + one.took, 0);
    t.ok(took < timeLimit(MOST_MS), `it took ${Math.round(took)} ms`);
  },
);

t.test('docs/quickstart.md has few commands, and says how many', async (t) => {
  const page = readFileSync(join(root, PAGE), 'utf8');
  const count = pageCommands().length;
  t.ok(count <= MOST_COMMANDS, `${count} commands`);
  t.match(measuredPart(page), new RegExp(`^The ${count} commands took \\d+ seconds`));
  t.match(page, new RegExp(`It\\s+has ${count} commands`));
});
