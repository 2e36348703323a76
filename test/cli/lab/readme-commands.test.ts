import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { labCommands } from '../../../src/cli/lab/lab-commands.ts';
import { createProgram } from '../../../src/cli/main.ts';

const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');

t.test('the line to paste in the README is made of commands that the lab prints, with its own ports', async (t) => {
  const lab = createProgram().commands.find((command) => command.name() === 'lab');
  const { port, controlPort } = lab?.opts() ?? {};
  const printed = labCommands('docker', { edge: port, control: controlPort, layout: '', bigBlob: '' })
    .flatMap(({ lines }) => lines)
    // The download that is frozen is one line of several commands.
    .flatMap((line) => line.split(/ & |; /));
  const [line = ''] = /^curl .*docker pull .*$/m.exec(readme) ?? [];
  const pasted = line.split(' && ');
  t.equal(pasted.length, 2, line);
  for (const command of pasted) t.ok(printed.includes(command), command);
});
