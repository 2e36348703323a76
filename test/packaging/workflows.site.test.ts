import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tryCommand } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';

const folder = join(import.meta.dirname, '../../.github/workflows');

t.test('actionlint takes the workflows, and notices a mistake', { skip: missing('actionlint') }, async (t) => {
  // Programs that may or may not be there must not decide.
  const lint = (...files: string[]) => tryCommand(tool('actionlint'), ['-shellcheck=', '-pyflakes=', ...files]);
  const files = readdirSync(folder).map((name) => join(folder, name));
  const good = await lint(...files);
  t.equal(good.status, 0, good.output);

  const copies = join(temporaryFolder(t), '.github/workflows');
  mkdirSync(copies, { recursive: true });
  const broken = join(copies, 'release.yml');
  writeFileSync(
    broken,
    readFileSync(join(folder, 'release.yml'), 'utf8').replace('steps.image.outputs', 'steps.imago.outputs'),
  );
  const bad = await lint(broken);
  t.not(bad.status, 0);
  t.match(bad.output, /release\.yml:\d+:\d+: property "imago" is not defined/);
});
