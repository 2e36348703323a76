import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { composeScalar } from '../../../src/cli/init/quoted-name.ts';
import { command } from '../../helpers/command.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';

const NAMES = ['robot$breakwater', 'robot$library+ci', 'robot$${HOME}', '$$', "o'neill", 'a: b', '$(id)', 'yes', '"a"'];

/** A Compose file with all names, in a folder of its own. */
function writeCompose(owner: Owner): { folder: string; file: string } {
  const folder = temporaryFolder(owner);
  const file = join(folder, 'compose.yaml');
  const variables = NAMES.map((name, index) => `      NAME_${index}: ${composeScalar(name)}`);
  const lines = ['version: "3"', 'services:', '  a:', '    image: a', '    environment:', ...variables, ''];
  writeFileSync(file, lines.join('\n'));
  return { folder, file };
}

t.test('docker-compose reads names as they are', { skip: missing('docker-compose') }, async (t) => {
  const { folder, file } = writeCompose(t);
  const { stdout } = await command(tool('docker-compose'), ['-f', file, 'config'], { cwd: folder });
  const { environment } = parse(stdout).services.a;
  // It prints a file that can be read again, so with two dollars.
  const shown = NAMES.map((name) => name.replaceAll('$', () => '$$'));
  t.strictSame(
    NAMES.map((_, index) => environment[`NAME_${index}`]),
    shown,
  );
});

t.test('podman-compose reads names as they are', { skip: missing('podman-compose') }, async (t) => {
  const { folder, file } = writeCompose(t);
  const podman = join(folder, 'podman');
  const script = [
    '#!/bin/sh',
    '[ "$1" != --version ] || echo podman version 4.3.1',
    `[ "$1" != create ] || printf '%s\\n' "$@" >>${folder}/arguments`,
    '',
  ];
  writeFileSync(podman, script.join('\n'), { mode: 0o755 });
  await command(tool('podman-compose'), ['--podman-path', podman, '-f', file, 'up'], { cwd: folder });
  const given = readFileSync(join(folder, 'arguments'), 'utf8').split('\n');
  t.strictSame(
    given.filter((line) => line.startsWith('NAME_')),
    NAMES.map((name, index) => `NAME_${index}=${name}`),
  );
});
