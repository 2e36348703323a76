import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import type { CheckFinding } from '../../../src/cli/check/reachability.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { commandLine } from '../../helpers/command-line.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

const root = join(import.meta.dirname, '../../..');
const [, example = '', ...others] = readFileSync(join(root, 'README.md'), 'utf8').split(/^```yaml\n([\s\S]*?)^```$/m);

/** What `check --offline` finds wrong with a configuration whose files are all there. */
async function findWrong(owner: Owner, yaml: string, names: string[]) {
  const config = join(await writeMaterial(owner, names), 'breakwater.yaml');
  writeFileSync(config, yaml);
  const [file, args] = commandLine(join(root, 'bin/breakwater'), ['check', '--offline', '--json', '--config', config]);
  return new Promise<{ status: number; wrong: CheckFinding[] }>((resolve) => {
    execFile(file, args, (error, stdout) => {
      const findings: CheckFinding[] = JSON.parse(stdout || '[]');
      const found = findings.some(({ subject }) => subject === config);
      const wrong = findings.filter(({ level }) => level !== 'ok');
      resolve({ status: found ? Number(error?.code ?? 0) : -1, wrong });
    });
  });
}

t.test('the configuration in the README is short, and breakwater check finds nothing wrong with it', async (t) => {
  t.equal(others.length, 1, 'there is one');
  t.ok(example.trim().split('\n').length <= 15, 'it has at most 15 lines');
  t.strictSame(await findWrong(t, example, [parse(example).hostname]), { status: 0, wrong: [] });
});

t.test('it finds no error in the shipped configurations', async (t) => {
  for (const name of ['breakwater', 'mirror', 'small-site']) {
    const yaml = readFileSync(join(root, `config/${name}.yaml`), 'utf8');
    const { status, wrong } = await findWrong(t, yaml, [parse(yaml).hostname]);
    t.strictSame({ status, errors: wrong.filter(({ level }) => level === 'error') }, { status: 0, errors: [] }, name);
    if (name !== 'mirror') continue;
    const other = await findWrong(t, yaml, ['other.example.io']);
    t.match(other, { status: 1 }, `${name} with a certificate of another name`);
    t.match(other.wrong.at(-1), { level: 'error', subject: 'tls', message: /^no certificate has the name / });
  }
});
