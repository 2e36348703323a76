import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { configSchema } from '../../src/config/schema.ts';
import { command, tryCommand } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'docker-compose.yml');

interface Service {
  image?: string;
  mem_limit?: string;
  pids_limit?: number;
  command?: string[];
  logging?: { options: { mode?: string } };
  read_only?: boolean;
  restart?: string;
  cap_drop?: string[];
  stop_grace_period?: string;
  volumes?: string[];
  expose?: string[];
  ports?: string[];
}

t.test('docker-compose takes the file; its services are hardened', { skip: missing('docker-compose') }, async (t) => {
  const { stdout } = await command(tool('docker-compose'), ['-f', file, 'config']);
  const { services } = parse(stdout) as { services: Record<string, Service> };
  t.same(Object.keys(services).sort(), ['edge', 'fallback', 'init', 'primary']);
  for (const [name, service] of Object.entries(services)) {
    t.equal(service.read_only, true, `${name}: root file system is read-only`);
    t.equal(service.restart, name === 'init' ? undefined : 'unless-stopped', `${name}: comes back`);
    t.same(service.cap_drop, ['ALL'], `${name}: no capabilities`);
    t.ok(service.mem_limit && service.pids_limit, `${name}: memory and processes are limited`);
    t.equal(service.logging?.options.mode, 'non-blocking', `${name}: a log that is stuck stops nothing`);
    t.match(service.image, /:\d+\.\d+\.\d+$/, `${name}: the image is pinned`);
    t.notOk(service.ports && /registry/.test(service.image ?? ''), `${name}: a registry is not published`);
  }
});

t.test('a mistake in the file is noticed', { skip: missing('docker-compose') }, async (t) => {
  const broken = join(temporaryFolder(t), 'docker-compose.yml');
  await writeFile(broken, readFileSync(file, 'utf8').replace('stop_grace_period', 'stop_grace_time'));
  const { status, output } = await tryCommand(tool('docker-compose'), ['-f', broken, 'config']);
  t.not(status, 0);
  t.match(output, /stop_grace_time/);
});

t.test('podman-compose takes the file', { skip: missing('podman-compose') }, async (t) => {
  // A rehearsal of `down` reads it whole, and makes nothing (that of `up` would make the network).
  const folder = temporaryFolder(t);
  await writeFile(join(folder, 'docker-compose.yml'), readFileSync(file));
  const { output } = await command(tool('podman-compose'), ['--dry-run', 'down'], { cwd: folder });
  for (const name of ['edge', 'primary', 'fallback']) t.match(output, new RegExp(`podman rm \\S+_${name}_1`));
});

t.test('the file, the image and the defaults of the configuration agree', async (t) => {
  const { services } = parse(readFileSync(file, 'utf8'), { merge: true }) as { services: Record<string, Service> };
  const { edge, init } = services;
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  t.equal(edge?.image, `breakwater:${version}`);
  t.equal(init?.image, edge?.image);
  const { drain, listen } = configSchema.parse({
    hostname: 'cr.example.io',
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    upstreams: { primary: { urls: ['http://primary:5000'] } },
    routes: [{ prefix: '', pull: [{ upstream: 'primary' }] }],
  });
  const grace = seconds(edge?.stop_grace_period ?? '0s') * 1000;
  t.ok(grace >= drain.announce + drain.timeout, 'the edge is given the time that its drain takes');
  t.same(
    edge?.ports?.map((mapping) => mapping.split(':').at(-1)),
    [listen.https, listen.admin].map((address) => address.split(':').at(-1)),
    'what is published is what it listens on',
  );
  t.ok(
    edge?.ports?.some((mapping) => mapping.startsWith('127.0.0.1:9443:')),
    'the status page is for this machine',
  );
  t.ok(init?.command?.includes('--admin=0.0.0.0:9443'), "where the image's health check looks");
});

/** Seconds of a compose duration such as `5m15s`. */
function seconds(text: string): number {
  const [, minutes = '0', rest = '0'] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  return Number(minutes) * 60 + Number(rest);
}
