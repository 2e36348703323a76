import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { command, tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';

const DEPLOY = join(import.meta.dirname, '../../../deploy');
const { version } = JSON.parse(readFileSync(join(DEPLOY, '../package.json'), 'utf8'));
const skip = missing('docker-compose');

interface Service {
  image: string;
  read_only?: boolean;
  cap_drop?: string[];
  mem_limit?: string | number;
  pids_limit?: number;
  network_mode?: string;
  ports?: string[];
  logging?: { options: { mode?: string } };
}

async function servicesOf(
  name: string,
): Promise<{ services: Record<string, Service>; networks?: Record<string, unknown> }> {
  const file = join(DEPLOY, 'compose', name, 'docker-compose.yml');
  return parse((await command(tool('docker-compose'), ['-f', file, 'config'])).stdout);
}

for (const name of ['harbor', 'pair'])
  t.test(`${name}: docker-compose takes the file; its services are hardened`, { skip }, async (t) => {
    for (const [service, found] of Object.entries((await servicesOf(name)).services)) {
      t.match(found, { read_only: true, cap_drop: ['ALL'] }, service);
      t.ok(found.mem_limit && found.pids_limit, `${service}: memory and processes are limited`);
      t.equal(found.logging?.options.mode, 'non-blocking', `${service}: a log that is stuck stops nothing`);
      t.match(found.image, new RegExp(`^breakwater(-keepalived)?:${version.replaceAll('.', '\\.')}$`), service);
    }
  });

t.test("harbor: the edge is in Harbor's own network", { skip }, async (t) => {
  const { networks } = await servicesOf('harbor');
  t.match(networks?.harbor, { external: true, name: 'harbor_harbor' });
  const file = join(DEPLOY, 'compose/harbor/docker-compose.yml');
  const env = { ...process.env, HARBOR_NETWORK: 'registry_harbor' };
  const { stdout } = await command(tool('docker-compose'), ['-f', file, 'config'], { env });
  t.match(stdout, /registry_harbor/, 'which may have another name');
});

t.test(
  'pair: both services see the addresses of the machine, and the image has every script that keepalived runs',
  { skip },
  async (t) => {
    const { services } = await servicesOf('pair');
    for (const [name, { network_mode, ports }] of Object.entries(services)) {
      t.equal(network_mode, 'host', name);
      t.equal(ports, undefined, name);
    }
    const dockerfile = readFileSync(join(DEPLOY, 'compose/pair/Dockerfile'), 'utf8');
    const configuration = readFileSync(join(DEPLOY, 'keepalived/keepalived.conf'), 'utf8');
    const scripts = [...configuration.matchAll(/"\/etc\/keepalived\/([\w-]+)/g)].map(([, script = '']) => script);
    t.ok(scripts.length >= 2, 'the configuration names scripts');
    for (const script of [...scripts, 'breakwater-vip-release', 'breakwater-pair-check']) {
      t.match(dockerfile, new RegExp(`^COPY .*\\b${script}\\b`, 'm'), script);
      readFileSync(join(DEPLOY, 'keepalived', script));
    }
    t.match(dockerfile, /useradd .* keepalived_script\b/, 'and the user that runs them');
    t.match(configuration, 'script_user keepalived_script');
  },
);

t.test('pair: the real keepalived takes its configuration', { skip: missing('keepalived', 'setsid') }, async (t) => {
  const log = join(temporaryFolder(t), 'log');
  const file = join(DEPLOY, 'keepalived/keepalived.conf');
  // Its own process group: keepalived ends its group with the test.
  await tryCommand(tool('setsid'), [
    '--wait',
    tool('keepalived'),
    `--config-test=${log}`,
    `--use-file=${file}`,
    '--config-id=edge-a',
  ]);
  const said = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  t.strictSame(
    said.filter((line) => /unknown|invalid|syntax|missing '/i.test(line)),
    [],
  );
});
