import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { LabRegistry } from '../../../src/lab/registry.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { commandLine } from '../../helpers/command-line.ts';
import { CLOUD, INNER, type LabSite, startLabSite } from '../../helpers/lab-site.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');
const ACCEPT = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** Not synchronous: edge and registries are in this process. */
function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const [file, rest] = commandLine(launcher, ['sync', ...args]);
  return new Promise((resolve) => {
    execFile(file, rest, (error, stdout, stderr) => resolve({ status: Number(error?.code ?? 0), stdout, stderr }));
  });
}

/** A configuration of the same upstreams, for the command. */
async function configOf(t: Test, site: LabSite): Promise<string> {
  const file = join(await writeMaterial(t), 'breakwater.yaml');
  const { upstreams, routes } = site.config;
  writeFileSync(
    file,
    JSON.stringify({
      hostname: 'cr.example.io',
      tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
      upstreams,
      routes,
    }),
  );
  return file;
}

const seed = (registry: LabRegistry, prefix: string, tag: string, blob: number) =>
  registry.seed(`${prefix}library/app`, tag, { blobs: [blob] }).digest;

/** A client pulls the tag through the edge, so that the ledger knows it. */
async function pull(site: LabSite, tag: string): Promise<void> {
  const { status } = await site.edge.http1().ask(`/v2/library/app/manifests/${tag}`, { headers: { accept: ACCEPT } });
  if (status !== 200) throw new Error(`${tag}: ${status}`);
}

t.test('after a restore, what the ledger of the running edge knows as newer is brought back', async (t) => {
  const site = await startLabSite(t);
  const { primary, fallback } = site;
  const tags = primary.store.repository(`${INNER}library/app`).tags;
  const old = seed(primary, INNER, 'restored', 10);
  await pull(site, 'restored');
  const restored = seed(primary, INNER, 'restored', 11);
  await pull(site, 'restored');
  seed(fallback, CLOUD, 'restored', 11);
  const lost = seed(primary, INNER, 'lost', 12);
  await pull(site, 'lost');
  seed(fallback, CLOUD, 'lost', 12);
  seed(primary, INNER, 'moved', 13);
  await pull(site, 'moved');
  seed(fallback, CLOUD, 'moved', 13);
  const moved = seed(primary, INNER, 'moved', 14);
  await pull(site, 'moved');
  // The snapshot.
  tags.set('restored', old);
  tags.delete('lost');
  const { port } = site.edge.app.addresses().admin;
  const options = [
    'gcr',
    'harbor',
    '--newer',
    '--config',
    await configOf(t, site),
    '--admin',
    `http://127.0.0.1:${port}`,
  ];

  const dry = await run(...options, '--dry-run');
  t.match(dry, { status: 1, stderr: '' });
  t.match(dry.stdout, /^would copy {2}cloud-project\/library\/app:lost -> inner\/library\/app:lost \(missing\)$/m);
  t.match(dry.stdout, /^would copy {2}cloud-project\/library\/app:restored -> .* \(another digest\)$/m);
  t.match(dry.stdout, /^kept {8}.*app:moved \(newer on harbor, by the ledger\)$/m);
  t.notOk(tags.has('lost'));

  t.match(await run(...options), { status: 0, stdout: /2 copied, 1 not replaced on harbor/ });
  t.strictSame([tags.get('restored'), tags.get('lost'), tags.get('moved')], [restored, lost, moved]);

  seed(primary, INNER, 'unknown', 15);
  const unknown = seed(fallback, CLOUD, 'unknown', 16);
  const left = await run(...options);
  t.match(left, { status: 1, stdout: /^undecided {3}.*app:unknown \(neither the ledger nor push times tell/m });
  t.not(tags.get('unknown'), unknown);
  const { status, stdout } = await run(...options, '--json');
  t.equal(status, 1);
  const { summary, tags: listed } = JSON.parse(stdout);
  t.match(summary, { undecided: 1, kept: 1, complete: false, end: 'done' });
  t.match(
    listed,
    [
      { outcome: 'kept', reason: String },
      { outcome: 'undecided', tag: 'unknown', reason: String },
    ].toSorted(),
  );
});

t.test('an edge that does not answer is said, and nothing is guessed', async (t) => {
  const site = await startLabSite(t);
  seed(site.primary, INNER, 'v1', 10);
  seed(site.fallback, CLOUD, 'v1', 11);
  const config = await configOf(t, site);
  const ran = await run('gcr', 'harbor', '--newer', '--config', config, '--admin', 'http://127.0.0.1:1');
  t.match(ran, { status: 1, stdout: /The ledger is not known, so only times were compared: no edge answers at/ });
  t.match(ran.stdout, /1 undecided/);
  t.match(await run('gcr', 'harbor', '--newer', '--replace', '--config', config), { status: 2 });
});
