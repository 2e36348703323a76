import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type LabRegistry, startLabRegistry } from '../../../src/lab/registry.ts';
import { commandLine } from '../../helpers/command-line.ts';
import { LAUNCHER } from '../../helpers/edge.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';
import { Fifo } from '../serve/serve-process.ts';

const ROBOT = { username: 'robot$edge', password: 'r0bot-secret' };
const KEY = '{\n  "type": "service_account",\n  "private_key": "k3y-secret"\n}';

interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

interface InitSite {
  primary: LabRegistry;
  fallback: LabRegistry;
  folder: string;
  directory: string;
  /** Every option that a site needs. */
  options: string[];
  init(...more: string[]): Promise<Ran>;
}

/** A Harbor, and a fallback of Artifact Registry's kind, both new. */
async function startSite(t: Test): Promise<InitSite> {
  const primary = await startLabRegistry({ harbor: true, auth: { scheme: 'bearer', users: [ROBOT] } });
  const fallback = await startLabRegistry({
    ...{ uploads: 'artifact-registry', downloads: 'redirect' },
    auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] },
  });
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const folder = temporaryFolder(t);
  const directory = join(folder, 'site');
  writeFileSync(join(folder, 'robot'), `${ROBOT.password}\n`);
  writeFileSync(join(folder, 'key.json'), `${KEY}\n`);
  const options = [
    ...['--hostname', 'cr.example.io', '--primary', primary.url, '--primary-user', ROBOT.username],
    ...['--primary-password-file', join(folder, 'robot'), '--fallback', `${fallback.url}/my-project/images`],
    ...['--fallback-kind', 'artifact-registry', '--fallback-password-file', join(folder, 'key.json')],
    ...['--https', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
  ];
  const init = (...more: string[]) => run(['init', directory, ...options, ...more]);
  return { primary, fallback, folder, directory, options, init };
}

/** Not synchronous: the registries are in this process. */
function run(args: string[]): Promise<Ran> {
  const [file, rest] = commandLine(LAUNCHER, args);
  return new Promise((resolve) => {
    const child = execFile(file, rest, (error, stdout, stderr) =>
      resolve({ status: Number(error?.code ?? 0), stdout, stderr }),
    );
    child.stdin?.end();
  });
}

t.test('a directory that works, and that is made once', async (t) => {
  const site = await startSite(t);
  const made = await site.init();
  t.match(made, { status: 0, stderr: '' });
  t.match(made.stdout, /^primary {3}library\/canary:latest .* pushed$/m);
  t.match(made.stdout, /^fallback {2}my-project\/images\/library\/canary:latest {2}pushed$/m);
  t.match(made.stdout, /^0 errors, 0 warnings$/m, 'no finding');
  t.match(made.stdout, /^ {2}breakwater serve -c \S+\/site\/breakwater\.yaml$/m);
  t.match(made.stdout, /^robot\$edge is 'robot\$edge' in a shell, and "robot\$\$edge" in a Compose file\.$/m);
  t.notMatch(made.stdout, /init-[0-9a-f]|canary push/, 'neither the place where it was made, nor more to do');
  t.notMatch(made.stdout + made.stderr, /secret"|r0bot|k3y/, 'no secret');
  t.strictSame(readdirSync(site.folder).sort(), ['key.json', 'robot', 'site']);
  for (const name of ['edge.key', 'primary.secret', 'fallback.secret', 'tls.key', 'ca/ca.key'])
    t.equal(statSync(join(site.directory, name)).mode & 0o777, 0o600, name);
  t.equal(readFileSync(join(site.directory, 'fallback.secret'), 'utf8'), `${KEY}\n`);

  const names = readdirSync(site.directory);
  const contents = () => names.map((name) => statSync(join(site.directory, name)).mtimeMs);
  const before = contents();
  const again = await site.init();
  t.match(again, { status: 2, stdout: '', stderr: /has files of a site already, and nothing was changed/ });
  t.match(again.stderr, /an edge for cr\.example\.io, auth\.mode delegate\n {2}upstreams: primary \(http:/);
  t.match(again.stderr, /repeat this with --force/);
  t.strictSame(contents(), before);

  const read = (name: string) => readFileSync(join(site.directory, name), 'utf8');
  const kept = ['edge.key', 'ca/ca.crt', 'ca/ca.key'].map(read);
  const certificate = read('tls.crt');
  const forced = await site.init('--force', '--json', '--hostname', 'other.example.io');
  t.equal(forced.status, 0, forced.stderr);
  t.match(JSON.parse(forced.stdout), { written: true, good: true, canaries: [{ result: 'present' }, {}] });
  t.strictSame(['edge.key', 'ca/ca.crt', 'ca/ca.key'].map(read), kept, 'what others have the counterparts of');
  t.match(read('breakwater.yaml'), /^hostname: other\.example\.io/m);
  t.not(read('tls.crt'), certificate);
});

t.test('a registry that cannot be reached', async (t) => {
  const site = await startSite(t);
  await site.primary.faults.on('down');
  const refused = await site.init();
  t.match(refused, { status: 1, stdout: /^primary .* failed: .*\n/ });
  t.match(refused.stdout, /Nothing was written to .*--offline/s);
  t.strictSame(readdirSync(site.folder).sort(), ['key.json', 'robot'], 'nothing is left');
  const offline = await site.init('--offline');
  t.equal(offline.status, 0);
  for (const command of ['canary push', 'check', 'serve'])
    t.match(offline.stdout, new RegExp(`^ {2}breakwater ${command} -c \\S+/breakwater\\.yaml$`, 'm'));
  await site.primary.faults.off('down');
  const config = join(site.directory, 'breakwater.yaml');
  t.match(await run(['canary', 'push', '-c', config]), { status: 0 });
  t.match(await run(['check', '-c', config]), { status: 0, stdout: /^0 errors, 0 warnings$/m });
});

t.test('an account that is refused, and answers that do not fit together', async (t) => {
  const site = await startSite(t);
  writeFileSync(join(site.folder, 'robot'), 'wrong');
  const refused = await site.init();
  t.match(refused, { status: 1, stdout: /^-> primary: name a user that may push/m });
  t.notOk(existsSync(site.directory));
  const open = await site.init('--auth', 'open');
  t.match(open, { status: 2, stderr: /every image of the fallback .* add --yes/ });
  t.match(await site.init('--owner', 'no-such-user'), { status: 2, stderr: /there is no user no-such-user/ });
  t.match(await run(['init', join(site.folder, 'robot')]), { status: 2, stderr: /is a file; name a directory/ });
});

t.test('a certificate that comes later, and users of the edge', async (t) => {
  const site = await startSite(t);
  writeFileSync(join(site.folder, 'login'), 'correct horse');
  const login = ['--auth', 'htpasswd', '--login-user', 'ann', '--login-password-file', join(site.folder, 'login')];
  const made = await site.init('--certificate', 'later', ...login);
  t.match(made, { status: 0, stdout: /# first put tls\.crt .* and tls\.key into/ });
  t.match(made.stdout, /breakwater canary push/, 'it is not tried without a certificate');
  t.notOk(existsSync(join(site.directory, 'tls.crt')));
  t.match(readFileSync(join(site.directory, 'users.htpasswd'), 'utf8'), /^ann:\$2[aby]\$12\$/);
});

t.test('interrupted while a registry hangs', async (t) => {
  const site = await startSite(t);
  await site.primary.faults.on('frozen');
  const [file, args] = commandLine(LAUNCHER, ['init', site.directory, ...site.options]);
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await until(() => site.primary.requests.length > 0, { what: () => `a request; ${stderr}` });
  child.kill('SIGTERM');
  const [status] = await once(child, 'close');
  t.equal(status, 1, stderr);
  t.match(stderr, /interrupted; nothing was written/);
  t.strictSame(readdirSync(site.folder).sort(), ['key.json', 'robot']);
});

t.test('questions on a terminal', { skip: missing('script') }, async (t) => {
  const site = await startSite(t);
  const fifo = await Fifo.make(t);
  const line = `exec ${LAUNCHER} init ${site.directory} --https 127.0.0.1:0 --admin 127.0.0.1:0 --fallback-kind artifact-registry`;
  const [program, args] = commandLine(tool('script'), ['-qefc', line, '/dev/null']);
  const env = { ...process.env, TERM: 'xterm' };
  const child = spawn(program, args, { stdio: ['pipe', fifo.writeEnd, 'inherit'], env });
  t.teardown(() => child.kill('SIGKILL'));
  const answers: [string, string][] = [
    ['Hostname that clients use', 'cr.example.io'],
    ['Primary registry', site.primary.url],
    ['Kind of the primary', ''],
    ['Who logs in [delegate]', ''],
    ['User of the edge at the primary', ROBOT.username],
    ['Password of robot$edge', ROBOT.password],
    ['Fallback registry', `${site.fallback.url}/my-project/images`],
    ['User of the edge at the fallback', ''],
    ['File with the JSON key', join(site.folder, 'key.json')],
    ['Certificate [ca]', ''],
  ];
  let text = '';
  for (const [question, answer] of answers) {
    text = await fifo.readUntil((all) => all.includes(question));
    child.stdin?.write(`${answer}\r`);
  }
  text = await fifo.readUntil((all) => /breakwater serve -c/.test(all));
  t.match(text, /New Robot Account[\s\S]*roles\/artifactregistry\.writer/, 'what to make there');
  t.match(text, /0 errors, 0 warnings/);
  t.notMatch(text, new RegExp(ROBOT.password), 'the password was not shown');
  t.equal(readFileSync(join(site.directory, 'primary.secret'), 'utf8'), `${ROBOT.password}\n`);
});
