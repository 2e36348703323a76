import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { tryCommand } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const release = join(import.meta.dirname, '../../bin/release');
const image = join(import.meta.dirname, '../../bin/image');

/** Folders as two architectures build them. */
function built(t: Test, files: Record<string, Record<string, string>>): string {
  const folder = temporaryFolder(t);
  for (const [architecture, contents] of Object.entries(files)) {
    mkdirSync(join(folder, architecture));
    const sums = Object.entries(contents).map(([name, text]) => {
      writeFileSync(join(folder, architecture, name), text);
      return `${createHash('sha256').update(text).digest('hex')}  ${name}\n`;
    });
    writeFileSync(join(folder, architecture, 'SHA256SUMS'), sums.join(''));
  }
  return folder;
}

t.test('what two architectures built becomes one set of files', async (t) => {
  const cwd = built(t, {
    amd64: { 'x.tgz': 'package', 'amd64.digest': 'one' },
    arm64: { 'x.tgz': 'package', 'arm64.digest': 'two' },
  });
  const joined = await tryCommand(release, ['join', 'all', 'amd64', 'arm64'], { cwd });
  t.equal(joined.status, 0, joined.output);
  t.strictSame(readdirSync(join(cwd, 'all')).sort(), ['SHA256SUMS', 'amd64.digest', 'arm64.digest', 'x.tgz']);
  const names = readFileSync(join(cwd, 'all/SHA256SUMS'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.slice(66));
  t.strictSame(names, ['amd64.digest', 'arm64.digest', 'x.tgz']);
});

t.test('architectures that differ, and files that were changed, are refused', async (t) => {
  const cwd = built(t, { amd64: { 'x.tgz': 'package' }, arm64: { 'x.tgz': 'another' }, broken: { 'y.tgz': 'before' } });
  writeFileSync(join(cwd, 'broken/y.tgz'), 'after');
  const differs = await tryCommand(release, ['join', 'all', 'amd64', 'arm64'], { cwd });
  t.equal(differs.status, 1);
  t.match(differs.output, /the architectures differ in: x\.tgz/);
  const changed = await tryCommand(release, ['join', 'other', 'amd64', 'broken'], { cwd });
  t.equal(changed.status, 1);
  t.match(changed.output, /broken is not what its SHA256SUMS says/);
});

t.test('wrong use is told, and nothing is overwritten', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'mine'), '');
  const wrong: [string, string[]][] = [
    [release, []],
    [release, ['publish']],
    [release, ['build']],
    [release, ['build', '--fast', folder]],
    [release, ['join', folder]],
    [image, ['--out']],
    [image, ['now']],
  ];
  for (const [script, args] of wrong) {
    const { status, output } = await tryCommand(script, args);
    t.equal(status, 2, `${script} ${args.join(' ')}`);
    t.match(output, /bin\/(release|image)/);
  }
  const full = await tryCommand(release, ['build', folder]);
  t.equal(full.status, 1);
  t.match(full.output, /is not empty; name another folder/);
  const tag = await tryCommand('node', ['bin/release-versions.ts', 'check', 'v99.0.0']);
  t.equal(tag.status, 1);
  t.match(tag.output, /tag v99\.0\.0: expected v/);
});
