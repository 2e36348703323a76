import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import { command, tryCommand } from '../../helpers/command.ts';
import { missing, tool } from '../../helpers/tool.ts';
import { UNITS, UnitRoot } from './unit-root.ts';

const ALL = ['breakwater.service', 'breakwater.socket', 'breakwater-http.socket'];
const skip = missing('systemd-analyze', 'systemd-sysusers');
/** `systemd-analyze security` has tenths: 25 is an exposure of 2.5. */
const MOST_EXPOSED = '25';

const verify = (root: UnitRoot) =>
  tryCommand(tool('systemd-analyze'), ['verify', '--man=no', `--root=${root.folder}`, ...ALL]);
const exposure = (root: UnitRoot, most = MOST_EXPOSED) =>
  tryCommand(tool('systemd-analyze'), [
    ...['security', '--no-pager', '--offline=yes', `--root=${root.folder}`, `--threshold=${most}`],
    'breakwater.service',
  ]);

for (const dropIns of [[], ['credentials.conf'], ['sockets.conf', 'credentials.conf']])
  t.test(`systemd takes the units with ${dropIns.join(', ') || 'no other file'}`, { skip }, async (t) => {
    const root = new UnitRoot(t);
    for (const name of dropIns) root.addDropIn(name);
    const verified = await verify(root);
    // An unknown key or section is only a warning, with status 0.
    t.equal(verified.output, '', 'without a warning');
    t.equal(verified.status, 0);
    const { status, output } = await exposure(root);
    t.equal(
      status,
      0,
      output
        .split('\n')
        .filter((line) => /✗|Overall/.test(line))
        .join('\n'),
    );
    t.comment(/Overall.*/.exec(output)?.[0]);
  });

t.test('a mistake, a missing program and a weaker unit are noticed', { skip }, async (t) => {
  const root = new UnitRoot(t);
  const file = join(root.units, 'breakwater.service');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('RestartSec=', 'RestartSecs='));
  t.match((await verify(root)).output, /Unknown key 'RestartSecs'/);
  writeFileSync(file, text.replace('/opt/breakwater/bin', '/opt/nowhere/bin'));
  t.match((await verify(root)).output, /\/opt\/nowhere\/bin\/breakwater is not executable/);
  writeFileSync(file, text.replace(/^(Protect|Restrict|SystemCall|CapabilityB).*\n/gm, ''));
  t.not((await exposure(root)).status, 0);
});

t.test('the user of the service is made', { skip }, async (t) => {
  const root = new UnitRoot(t);
  mkdirSync(join(root.folder, 'usr/lib/sysusers.d'), { recursive: true });
  cpSync(join(UNITS, 'breakwater.sysusers'), join(root.folder, 'usr/lib/sysusers.d/breakwater.conf'));
  await command(tool('systemd-sysusers'), [`--root=${root.folder}`]);
  const [, name] = /^User=(.*)$/m.exec(readFileSync(join(UNITS, 'breakwater.service'), 'utf8')) ?? [];
  t.match(readFileSync(join(root.folder, 'etc/passwd'), 'utf8'), new RegExp(`^${name}:.*/nologin$`, 'm'));
});

t.test('the unit and the defaults of the configuration agree', async (t) => {
  const { drain, listen } = configSchema.parse({
    hostname: 'cr.example.io',
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    upstreams: { a: { urls: ['https://a.lan'] } },
    routes: [{ prefix: '', pull: [{ upstream: 'a' }] }],
  });
  const read = (name: string) => readFileSync(join(UNITS, name), 'utf8');
  const [, minutes] = /^TimeoutStopSec=(\d+)min$/m.exec(read('breakwater.service')) ?? [];
  t.ok(Number(minutes) * 60_000 > drain.announce + drain.timeout, 'the stop may take as long as its drain');
  t.match(read('breakwater.socket'), `\nListenStream=${listen.https}\nFileDescriptorName=https\n`);
  t.match(read('breakwater-http.socket'), '\nListenStream=0.0.0.0:80\nFileDescriptorName=http\n');
});
