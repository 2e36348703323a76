import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { CheckFinding } from '../../../src/cli/check/reachability.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { commandLine } from '../../helpers/command-line.ts';

const root = join(import.meta.dirname, '../../..');
const [, example = '', ...others] = readFileSync(join(root, 'README.md'), 'utf8').split(/^```yaml\n([\s\S]*?)^```$/m);

t.test('the configuration in the README is short, and breakwater check finds nothing wrong with it', async (t) => {
  t.equal(others.length, 1, 'there is one');
  t.ok(example.trim().split('\n').length <= 15, 'it has at most 15 lines');
  const config = join(await writeMaterial(t), 'breakwater.yaml');
  writeFileSync(config, example);
  const [file, args] = commandLine(join(root, 'bin/breakwater'), ['check', '--offline', '--json', '--config', config]);
  const { status, findings } = await new Promise<{ status: number; findings: CheckFinding[] }>((resolve) => {
    execFile(file, args, (error, stdout) =>
      resolve({ status: Number(error?.code ?? 0), findings: JSON.parse(stdout || '[]') }),
    );
  });
  t.equal(status, 0);
  t.strictSame(
    findings.filter(({ level }) => level !== 'ok'),
    [],
  );
  t.ok(findings.some(({ subject }) => subject === config));
});
