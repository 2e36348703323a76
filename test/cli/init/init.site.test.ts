import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { shellWord } from '../../../src/cli/init/quoted-name.ts';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import { tryCommand } from '../../helpers/command.ts';
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

  // As `head -c 48 /dev/urandom` may make it.
  writeFileSync(join(site.directory, 'edge.key'), Buffer.from([...Array(48).keys()].map((index) => 255 - 5 * index)));
  const read = (name: string) => readFileSync(join(site.directory, name), 'latin1');
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

t.test('a certificate that comes later, users of the edge, and ACME', async (t) => {
  const site = await startSite(t);
  writeFileSync(join(site.folder, 'login'), 'correct horse');
  const login = ['--auth', 'htpasswd', '--login-user', 'ann', '--login-password-file', join(site.folder, 'login')];
  const made = await site.init('--certificate', 'later', ...login);
  t.match(made, { status: 0, stdout: /# first put tls\.crt .* and tls\.key into/ });
  t.match(made.stdout, /breakwater canary push/, 'it is not tried without a certificate');
  t.notOk(existsSync(join(site.directory, 'tls.crt')));
  t.match(readFileSync(join(site.directory, 'users.htpasswd'), 'utf8'), /^ann:\$2[aby]\$12\$/);
  const acme = ['--certificate', 'acme', '--acme-agree', '--acme-email', 'ops@example.io', '--offline', '--force'];
  t.match(await site.init(...acme), { status: 0 });
  const checked = await run(['check', '--offline', '-c', join(site.directory, 'breakwater.yaml')]);
  t.match(checked, { status: 0, stdout: /there is no certificate yet; the edge orders one when it serves/ });
});

t.test('an account that a credential helper knows', async (t) => {
  const site = await startSite(t);
  const answer = JSON.stringify({ Username: '_json_key', Secret: KEY });
  const helper = join(site.folder, 'docker-credential-bwtest');
  writeFileSync(helper, `#!/bin/sh\ncat <<'EOF'\n${answer}\nEOF\n`, { mode: 0o755 });
  const path = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = path;
  });
  process.env.PATH = `${site.folder}:${path}`;
  const secret = site.options.indexOf('--fallback-password-file');
  const made = await run(['init', site.directory, ...site.options.toSpliced(secret, 2, '--fallback-helper', 'bwtest')]);
  t.match(made, { status: 0, stdout: /^0 errors, 0 warnings$/m, stderr: '' });
  t.notOk(existsSync(join(site.directory, 'fallback.secret')));
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

t.test('every way to log in has a site without a finding', async (t) => {
  const users = [{ username: 'edge', password: ROBOT.password }];
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'secret'), ROBOT.password);
  const rows: [string, LabRegistryOptions, string[]][] = [
    ['htpasswd', {}, ['--login-user', 'ann', '--login-password-file', join(folder, 'secret')]],
    [
      'delegate',
      { auth: { scheme: 'basic', users } },
      ['--primary-user', 'edge', '--primary-password-file', join(folder, 'secret')],
    ],
    ['open', {}, ['--yes']],
  ];
  for (const [mode, options, more] of rows) {
    const [primary, fallback] = await Promise.all([startLabRegistry(options), startLabRegistry({})]);
    t.teardown(() => Promise.all([primary.close(), fallback.close()]));
    const made = await run([
      ...['init', join(folder, mode), '--hostname', 'cr.example.io', '--auth', mode, ...more],
      ...['--primary', primary.url, '--primary-kind', 'registry', '--fallback', `${fallback.url}/mirror`],
    ]);
    t.match(made, { status: 0, stdout: /^0 errors, 0 warnings$/m }, mode);
  }
});

t.test(
  'files for the user that the service runs as',
  { skip: process.getuid?.() !== 0 && 'only root gives files away' },
  async (t) => {
    const site = await startSite(t);
    chmodSync(site.folder, 0o755);
    t.match(await site.init('--owner', '4321:4321'), { status: 0 });
    const readable = ['edge.key', 'tls.key', 'primary.secret', 'fallback.secret', 'breakwater.yaml', 'ca/ca.crt'];
    const files = readable.map((name) => join(site.directory, name));
    const user = ['--reuid', '4321', '--regid', '4321', '--clear-groups', 'cat'];
    t.equal((await tryCommand(tool('setpriv'), [...user, ...files])).status, 0, 'the service can read them');
    t.not((await tryCommand(tool('setpriv'), [...user, join(site.directory, 'ca/ca.key')])).status, 0, 'but not this');
    const renewed = await run([
      ...['cert', 'leaf', '--renew', '--force', '--ca', join(site.directory, 'ca'), '--output', site.directory],
    ]);
    t.equal(renewed.status, 0, renewed.stderr);
    t.match(statSync(join(site.directory, 'tls.crt')), { uid: 4321 }, 'renewed as the report says');
    t.match(await site.init('--force', '--offline'), { status: 0 });
    t.equal((await tryCommand(tool('setpriv'), [...user, ...files])).status, 0, 'made anew, the service can still');
    t.not((await tryCommand(tool('setpriv'), [...user, join(site.directory, 'ca/ca.key')])).status, 0);
  },
);

/** `breakwater init` on a terminal, with the options that only a test needs. */
class Terminal {
  readonly child: ChildProcess;
  readonly #fifo: Fifo;

  private constructor(child: ChildProcess, fifo: Fifo) {
    this.child = child;
    this.#fifo = fifo;
  }

  static async start(t: Test, args: readonly string[]): Promise<Terminal> {
    const fifo = await Fifo.make(t);
    const line = ['exec', LAUNCHER, 'init', ...args].map(shellWord).join(' ');
    const [program, rest] = commandLine(tool('script'), ['-qefc', line, '/dev/null']);
    const env = { ...process.env, TERM: 'xterm' };
    const child = spawn(program, rest, { stdio: ['pipe', fifo.writeEnd, 'inherit'], env });
    t.teardown(() => child.kill('SIGKILL'));
    return new Terminal(child, fifo);
  }

  /** Types this once a text is shown. @returns all that was shown */
  async type(shown: string | RegExp, typed: string): Promise<string> {
    const text = await this.#fifo.readUntil((all) =>
      typeof shown === 'string' ? all.includes(shown) : shown.test(all),
    );
    this.child.stdin?.write(typed);
    return text;
  }
}

t.test('a person who is asked whether to write all the same', { skip: missing('script') }, async (t) => {
  const site = await startSite(t);
  await site.primary.faults.on('down');
  const usual = ['--yes', ...site.options];
  const no = await Terminal.start(t, [site.directory, ...usual]);
  await no.type('all the same? [y/N]', 'n\r');
  await no.type('Nothing was written', '');
  t.notOk(existsSync(site.directory));
  const yes = await Terminal.start(t, [site.directory, ...usual]);
  await yes.type('all the same? [y/N]', 'y\r');
  await yes.type(/breakwater canary push -c[\s\S]*serve -c/, '');
  t.ok(existsSync(join(site.directory, 'breakwater.yaml')));
});

t.test('a password that is typed keeps its spaces', { skip: missing('script') }, async (t) => {
  const site = await startSite(t);
  const options = site.options.filter(
    (text) => text !== '--primary-password-file' && text !== join(site.folder, 'robot'),
  );
  const terminal = await Terminal.start(t, [site.directory, '--yes', '--offline', ...options]);
  await terminal.type('Password of robot$edge: ', '  pass word  \r');
  t.notMatch(await terminal.type(/breakwater serve -c/, ''), /pass word/);
  t.equal(readFileSync(join(site.directory, 'primary.secret'), 'utf8'), '  pass word  \n');
});

t.test('Ctrl-C at a question, and while registries are asked', { skip: missing('script') }, async (t) => {
  const site = await startSite(t);
  const asked = await Terminal.start(t, [site.directory]);
  await asked.type('Hostname that clients use', '\x03');
  await asked.type('nothing was written', '');
  await site.primary.faults.on('frozen');
  const waiting = await Terminal.start(t, [site.directory, '--yes', ...site.options]);
  await until(() => site.primary.requests.length > 0, { what: () => 'a request' });
  await waiting.type('', '\x03');
  await waiting.type('interrupted; nothing was written', '');
  t.strictSame(readdirSync(site.folder).sort(), ['key.json', 'robot']);
});

t.test('questions on a terminal', { skip: missing('script') }, async (t) => {
  const site = await startSite(t);
  const terminal = await Terminal.start(t, [
    ...[site.directory, '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--fallback-kind', 'artifact-registry'],
  ]);
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
  for (const [question, answer] of answers) await terminal.type(question, `${answer}\r`);
  const text = await terminal.type(/breakwater serve -c/, '');
  t.match(text, /New Robot Account[\s\S]*roles\/artifactregistry\.writer/, 'what to make there');
  t.match(text, /0 errors, 0 warnings/);
  t.notMatch(text, new RegExp(ROBOT.password), 'the password was not shown');
  t.equal(readFileSync(join(site.directory, 'primary.secret'), 'utf8'), `${ROBOT.password}\n`);
});
