import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { type LintClientOptions, lintClient } from '../../../src/cli/client/lint-client.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const root = new URL('../../../', import.meta.url).pathname;

/** What a run prints, or the message of its error. */
async function run(path: string, options: Partial<LintClientOptions> = {}) {
  const said = { stdout: '', stderr: '', error: '', found: false };
  const { stdout, stderr } = process;
  const [out, err] = [stdout.write, stderr.write];
  stdout.write = ((part: string) => {
    said.stdout += part;
    return true;
  }) as typeof out;
  stderr.write = ((part: string) => {
    said.stderr += part;
    return true;
  }) as typeof err;
  try {
    said.found = await lintClient(path, { versions: [], ...options });
  } catch (error) {
    said.error = `${(error as Error).name}: ${(error as Error).message}`;
  } finally {
    stdout.write = out;
    stderr.write = err;
  }
  return said;
}

function daemonJson(owner: Parameters<typeof temporaryFolder>[0], content: string): string {
  const folder = join(temporaryFolder(owner), 'docker');
  mkdirSync(folder);
  writeFileSync(join(folder, 'daemon.json'), content);
  return folder;
}

t.test('findings for a person: file, line, rule, what happens, remedy', async (t) => {
  const folder = daemonJson(t, '{\n  "registry-mirrors": [\n    "http://cr.example.io"\n  ]\n}\n');
  const { stdout, stderr, found } = await run(folder, { hostname: 'cr.example.io' });
  t.ok(found);
  t.equal(stderr, '');
  t.match(
    stdout,
    `${folder}/daemon.json:3 docker-mirror-http (clear-text)\n  mirror "http://cr.example.io": dockerd speaks plain HTTP`,
  );
  t.match(stdout, /\n {2}Remedy: Write https:\/\/.*\n\n1 finding in 1 file\n$/);
});

t.test('findings for a script have the source of each rule', async (t) => {
  const folder = daemonJson(t, '{"registry-mirrors": ["https://a.example.io/x"]}');
  const { stdout } = await run(join(folder, 'daemon.json'), { json: true, versions: ['docker=24.0'] });
  t.match(JSON.parse(stdout), {
    files: [{ path: join(folder, 'daemon.json'), kind: 'docker-daemon' }],
    versions: { docker: '24.0' },
    edges: [],
    notes: [/The name of the edge is not known/],
    findings: [
      { rule: 'docker-mirror-path', line: 1, versions: 'before 24.0.8', versionKnown: true, source: { date: /^20/ } },
    ],
  });
  t.notOk((await run(folder, { versions: ['docker=28.5.2'] })).found, 'another version has no such rule');
});

t.test('no findings: how much was looked at', async (t) => {
  const folder = daemonJson(t, '{}');
  const { stdout, stderr, found } = await run(folder);
  t.equal(stdout, 'no findings in 1 file\n');
  t.match(stderr, /^note: The name of the edge is not known.*--hostname\.\n$/);
  t.notOk(found);
});

t.test('a configuration tells the edge and its upstreams', async (t) => {
  const folder = daemonJson(t, '{"registry-mirrors": ["https://mirror.example.io"]}');
  copyFileSync(join(root, 'config/breakwater.yaml'), join(folder, 'breakwater.yaml'));
  writeFileSync(join(folder, 'pod.yaml'), 'apiVersion: v1\nkind: Pod\nspec: {containers: [{image: harbor.lan/a/b}]}\n');
  const { stdout } = await run(folder, { config: join(folder, 'breakwater.yaml') });
  t.match(stdout, /docker-no-edge/);
  t.match(stdout, /kubernetes-image-upstream/);
  writeFileSync(join(folder, 'breakwater.yaml'), 'hostname: 1\n');
  t.match(
    (await run(folder, { config: join(folder, 'breakwater.yaml') })).error,
    /UsageError: .*has errors: run breakwater check/,
  );
});

t.test('mistakes are told with what is known', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'what.txt'), 'x');
  for (const [path, options, says] of [
    [join(folder, 'gone'), {}, /gone cannot be checked: it is not there/],
    [folder, {}, /below .* is no file of a program that is known/],
    [folder, { kind: 'policy' }, /--kind says what one file is/],
    [folder, { kind: 'polizy' }, /--kind "polizy" is not known; known are docker-daemon.*Did you mean policy\?/],
    [folder, { file: 'x' }, /--file says what standard input is/],
    [folder, { hostname: 'https://x' }, /--hostname "https:\/\/x" is no host/],
    [folder, { versions: ['x=1'] }, /expected PROGRAM=VERSION/],
    [
      join(folder, 'what.txt'),
      {},
      /it is not known what .*what\.txt is\. Say it with --kind:\n {2}docker-daemon {2}dockerd's/,
    ],
  ] as const)
    t.match((await run(path, options)).error, says);
});

t.test('a name cannot move the cursor of a terminal', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'certs.d/\u001b[2Jx'), { recursive: true });
  writeFileSync(join(folder, 'certs.d/\u001b[2Jx/ca.crt'), 'x');
  const { stdout } = await run(folder);
  t.match(stdout, 'certs.d/?[2Jx/ca.crt:1 certs-ca-not-pem');
  t.notMatch(stdout, '\u001b');
});

t.test('standard input, and the exit status', async (t) => {
  const piped = async (args: string[], input: string) => {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', 'client', '--lint', '-', ...args],
      {
        cwd: root,
        stdio: 'pipe',
      },
    );
    child.stdin.on('error', () => undefined).end(input);
    const [stdout, stderr, status] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise((resolve) => child.once('close', resolve)),
    ]);
    return { stdout, stderr, status };
  };
  const [found, both] = await Promise.all([
    piped(['--kind', 'docker-auth'], '{"auths": {"cr.example.io": {"auth": "hunter2!"}}}'),
    piped(['docker'], ''),
  ]);
  t.match(found, { status: 1, stdout: /standard-input:1 auth-not-base64/ });
  t.notMatch(found.stdout, /hunter2/);
  t.match(both, { status: 2, stderr: /--lint takes no kind of client/ });
});
