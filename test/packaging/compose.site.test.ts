import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { certificateFiles } from '../../src/config/acme-names.ts';
import { configSchema } from '../../src/config/schema.ts';
import { command, tryCommand } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'docker-compose.yml');

interface Service {
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
  t.same(Object.keys(services).sort(), ['edge', 'registry']);
  for (const [name, service] of Object.entries(services)) {
    t.equal(service.read_only, true, `${name}: root file system is read-only`);
    t.equal(service.restart, 'unless-stopped', `${name}: comes back`);
    t.same(service.cap_drop, ['ALL'], `${name}: no capabilities`);
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
  for (const name of ['edge', 'registry']) t.match(output, new RegExp(`podman rm \\S+_${name}_1`));
});

t.test('the file and the configuration that it mounts agree', async (t) => {
  const { services } = parse(readFileSync(file, 'utf8')) as { services: { edge: Service; registry: Service } };
  const config = configSchema.parse(parse(readFileSync(join(root, 'config/small-site.yaml'), 'utf8')));
  const { edge, registry } = services;

  const grace = seconds(edge.stop_grace_period ?? '0s') * 1000;
  t.ok(grace >= config.drain.announce + config.drain.timeout, 'the edge is given the time that its drain takes');
  t.same(edge.volumes, [
    './config/small-site.yaml:/etc/breakwater/breakwater.yaml:ro',
    './certificates:/etc/breakwater/tls:ro',
  ]);
  const pairs = certificateFiles(config);
  for (const name of [...pairs.flatMap((pair) => [pair.certFile, pair.keyFile]), config.keyFile]) {
    t.match(name, /^tls\//, `${name} lies in the mounted folder`);
  }
  t.same(
    edge.ports?.map((mapping) => mapping.split(':').at(-1)),
    [config.listen.https, config.listen.http].map((address) => address?.split(':').at(-1)),
    'what is published is what it listens on',
  );
  t.equal(config.listen.admin, '127.0.0.1:9443', "where the image's health check looks");
  t.same(
    Object.values(config.upstreams).map((upstream) => upstream.urls),
    [[`http://registry:${registry.expose?.[0]}`]],
    'the upstream is the registry service',
  );
  for (const { probe } of Object.values(config.upstreams)) t.ok(probe.canary, 'probes read a canary');
});

/** Seconds of a compose duration such as `5m15s`. */
function seconds(text: string): number {
  const [, minutes = '0', rest = '0'] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  return Number(minutes) * 60 + Number(rest);
}
