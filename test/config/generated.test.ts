import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { configurationMarkdown, documentedKeys, jsonSchema } from '../../bin/configuration-docs.ts';
import { loadConfig } from '../../src/config/load.ts';
import { writeMaterial } from './write-material.ts';

const root = new URL('../../', import.meta.url).pathname;
const read = (name: string) => readFileSync(join(root, name), 'utf8');

t.test('the reference and the JSON Schema are what the schema says (else: npm run docs)', async (t) => {
  t.equal(read('docs/configuration.md'), configurationMarkdown(jsonSchema(), read('config/breakwater.yaml')));
  t.equal(read('config/breakwater.schema.json'), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
});

t.test('npm run docs -- --check says the same', async (t) => {
  const { status, stderr } = spawnSync(process.execPath, ['bin/generate-docs.ts', '--check'], { cwd: root });
  t.equal(status, 0, String(stderr));
});

t.test('every key has a description', async (t) => {
  const bare = documentedKeys(jsonSchema()).filter(({ description }) => description === '');
  t.same(
    bare.map(({ key }) => key),
    [],
  );
});

for (const example of readdirSync(join(root, 'config')).filter((name) => name.endsWith('.yaml'))) {
  t.test(`the example ${example} loads`, async (t) => {
    const folder = await writeMaterial(t, ['cr.example.io', 'registry.example.io', 'mirror.example.io']);
    await copyFile(join(root, 'config', example), join(folder, example));
    const loaded = await loadConfig(join(folder, example));
    t.ok(loaded.config.routes.length > 0);
    t.ok(loaded.material.tls[0]?.cert);
    t.ok((loaded.material.keys[0]?.length ?? 0) >= 32);
    for (const name of loaded.config.routes.flatMap(({ push }) => push ?? []))
      t.ok(loaded.config.upstreams[name]?.probe.canary, `${name}, which takes pushes, has a canary`);
    // That of the contract example is looked at below.
    const known = example === 'breakwater.yaml' ? 1 : 0;
    t.equal(loaded.warnings.length, known, loaded.warnings.map(({ message }) => message).join('\n'));
  });
}

t.test('the contract example: defaults, secrets and warnings', async (t) => {
  const folder = await writeMaterial(t);
  await copyFile(join(root, 'config/breakwater.yaml'), join(folder, 'breakwater.yaml'));
  const { config, material, warnings } = await loadConfig(join(folder, 'breakwater.yaml'));
  t.equal(config.upstreams.harbor?.probe.interval, 2000);
  t.equal(config.upstreams.harbor?.probe.holdDown, 10_000);
  t.equal(config.upstreams.gcr?.deadlines.blob, 5000);
  t.equal(material.upstreams.harbor?.probePassword, 'probe-password', 'without its line end');
  t.equal(material.upstreams.harbor?.replicationPassword, 'replication-password');
  t.equal(material.hookSecret, 'the secret of the hooks');
  t.match(config.replication, { every: 3_600_000, when: 'vip', vip: '192.0.2.10', images: 4, blobs: 8 });
  t.match(material.upstreams.gcr?.password, /service_account/);
  t.match(
    warnings.map(({ key, message }) => `${key}: ${message}`),
    [/^routes\[0\]\.pull\[1\]: while harbor is down, every client can pull/],
  );
});
