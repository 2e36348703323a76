import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { timeLimit } from '../../helpers/time-limit.ts';
import { missing } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';
import { ComposeHost } from './compose-host.ts';

const ROOT = join(import.meta.dirname, '../../..');
const NAME = 'cr.example.io';
const skip = missing('docker-compose', 'docker', 'dockerd', 'docker-registry', 'nsenter', 'unshare', 'ip');
const { services } = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, { image: string }>;
};

t.setTimeout(timeLimit(240_000));

/** The commands of the page, in its order. */
function pageCommands(): string[] {
  const page = readFileSync(join(ROOT, 'docs/deploy-compose.md'), 'utf8');
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.trim().split('\n'));
}

async function cleanMachine(t: Test): Promise<ComposeHost> {
  const host = await new ComposeHost(t, [NAME]).start();
  await host.importImages(services.edge?.image ?? '', services.primary?.image ?? '');
  cpSync(join(ROOT, 'docker-compose.yml'), join(host.folder, 'docker-compose.yml'));
  mkdirSync(join(host.folder, 'deploy/compose'), { recursive: true });
  cpSync(join(ROOT, 'deploy/compose/first-start'), join(host.folder, 'deploy/compose/first-start'));
  // The only change: where the tests run, root may not raise the limit of descriptors.
  writeFileSync(
    join(host.folder, 'docker-compose.override.yml'),
    'services: { edge: { ulimits: { nofile: { soft: 1024, hard: 1024 } } } }\n',
  );
  return host;
}

t.test('a clean machine serves, and pulls survive an outage, as the page says', { skip }, async (t) => {
  const host = await cleanMachine(t);
  const site = join(host.folder, 'site');
  writeFileSync(join(host.folder, 'content'), 'app\n');
  writeFileSync(join(host.folder, 'Dockerfile'), 'FROM scratch\nCOPY content /\n');
  await host.run('DOCKER_BUILDKIT=0 docker build --quiet --tag app:1 .');

  const took: Record<string, number> = {};
  for (const line of pageCommands()) {
    const began = performance.now();
    // The page says to repeat these.
    if (/ breakwater (status|coverage)$/.test(line))
      await until(async () => (await host.try(line)).status === 0, { timeout: 60_000, every: 250, what: () => line });
    else {
      const { status, output } = await host.try(line, { timeout: 120_000 });
      if (!t.equal(status, 0, line)) return t.comment(output, (await host.try('docker-compose logs --tail 50')).output);
    }
    took[line] = Math.round(performance.now() - began);
    if (line.endsWith(' pause primary')) {
      await host.run('docker tag app:1 cr.example.io/library/app:2');
      const push = await host.try('docker push cr.example.io/library/app:2');
      t.not(push.status, 0, 'a push in the outage is refused');
      t.match(push.output, /primary/);
    }
  }
  t.comment(JSON.stringify(took, undefined, 1));
  const served = (took['docker-compose up -d'] ?? 0) + (took['docker-compose exec -T edge breakwater status'] ?? 0);
  t.ok(served < timeLimit(90_000), `the site served ${served} ms after its first start began`);

  await t.test('the site is as the page says', async (t) => {
    const mode = (name: string) => (statSync(join(site, name)).mode & 0o777).toString(8);
    for (const name of ['login.password', 'edge/admin.token', 'edge/edge.key', 'edge/tls.key', 'edge/ca/ca.key'])
      t.equal(mode(name), '600', name);
    t.equal(mode('edge/ca/ca.crt'), '644');
    t.equal(statSync(join(site, 'edge/breakwater.yaml')).uid, 1000);
    const ask = (header: string) =>
      host.run(`curl -s -o /dev/null -w '%{http_code}' ${header} http://localhost:9443/api/status`);
    t.equal((await ask('')).stdout, '401', 'the status page asks for its token');
    t.equal((await ask('-H "Authorization: Bearer $(cat site/edge/admin.token)"')).stdout, '200', 'and takes it');
    const { stdout } = await host.run(
      'docker port $(docker-compose ps -q primary); docker port $(docker-compose ps -q edge)',
    );
    t.same(
      stdout
        .split('\n')
        .map((line) => line.replace(/ ->.*/, ''))
        .filter(Boolean)
        .sort()
        .filter((port, index, all) => all.indexOf(port) === index),
      ['443/tcp', '9443/tcp'],
      'no port of a registry is published',
    );
  });

  await t.test('a second start changes nothing', async (t) => {
    const before = readFileSync(join(site, 'edge/tls.crt'), 'utf8');
    await host.run('docker-compose up -d');
    t.equal(readFileSync(join(site, 'edge/tls.crt'), 'utf8'), before);
    t.match((await host.run('docker-compose logs init')).output, /has a configuration already, and nothing is changed/);
  });

  await t.test(
    'the certificate is renewed by the command of the page, and stays with the user of the edge',
    async (t) => {
      const page = readFileSync(join(ROOT, 'docs/deploy-compose.md'), 'utf8');
      const [, renew = ''] = /`(docker-compose run [^`]* cert leaf [^`]*)`/.exec(page) ?? [];
      const before = readFileSync(join(site, 'edge/tls.crt'), 'utf8');
      // Without this, nothing is renewed before the end is near.
      await host.run(renew.replace('--renew', '--renew --force'));
      t.not(readFileSync(join(site, 'edge/tls.crt'), 'utf8'), before);
      for (const name of ['tls.crt', 'tls.key']) t.equal(statSync(join(site, 'edge', name)).uid, 1000, name);
    },
  );

  await t.test('a missing certificate ends the start, with file, line and what to do', async (t) => {
    renameSync(join(site, 'edge/tls.crt'), join(site, 'edge/away'));
    await host.run('docker-compose kill edge && docker-compose up -d edge');
    const log = await until(
      async () => {
        const { output } = await host.run('docker-compose logs --tail 20 edge');
        return /cannot be used/.test(output) && output;
      },
      { what: () => 'the refusal' },
    );
    t.match(
      log,
      /\/site\/edge\/breakwater\.yaml:\d+:\d+: tls\.certFile: the file \/site\/edge\/tls\.crt does not exist; put it there, or/,
    );
    t.comment(log);
    renameSync(join(site, 'edge/away'), join(site, 'edge/tls.crt'));
    await until(async () => (await host.try('docker-compose exec -T edge breakwater status')).status === 0, {
      timeout: 90_000,
      every: 250,
    });
    t.pass('and it serves again by itself when the file is back');
  });
});

t.test('a first start that fails leaves nothing, and the next one makes the site', { skip }, async (t) => {
  const host = await cleanMachine(t);
  const site = join(host.folder, 'site');
  // Killed in the middle, while no registry answers.
  await host.run('docker-compose create 2>/dev/null || docker-compose up --no-start');
  await host.run('docker-compose run -d --no-deps init');
  await until(() => statSync(join(site, 'login.password'), { throwIfNoEntry: false }), { what: () => 'the password' });
  await host.run('docker ps -q | xargs docker kill');
  t.notOk(statSync(join(site, 'edge'), { throwIfNoEntry: false }), 'nothing that looks like a site');
  const password = readFileSync(join(site, 'login.password'), 'utf8');

  const wrong = await host.try(
    "BREAKWATER_HOSTNAME='not a name' docker-compose up -d init; docker wait $(docker-compose ps -q init)",
  );
  t.equal(wrong.stdout.trim().split('\n').at(-1), '2', 'a mistake is not tried again');
  t.match((await host.run('docker-compose logs init')).output, /--hostname.*not a name[\s\S]*mend what is said above/);

  const up = await host.try('docker-compose up -d', { timeout: 120_000 });
  t.equal(up.status, 0, up.output);
  t.equal(readFileSync(join(site, 'login.password'), 'utf8'), password, 'the password stays');
  t.ok(statSync(join(site, 'edge/breakwater.yaml')));
  rmSync(join(host.folder, 'content'), { force: true });
});
