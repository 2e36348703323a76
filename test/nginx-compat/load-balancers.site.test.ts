import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { appendFile, copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { freePorts } from '../../bench/proxies/ports.ts';
import { type LabRegistry, startLabRegistry } from '../../src/lab/registry.ts';
import { writeMaterial } from '../config/write-material.ts';
import { PROBE, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { type Client, Http1Client } from '../helpers/http1-client.ts';
import { MANIFEST_TYPE, manifestOf, sha256 } from '../helpers/lab-site.ts';
import { Program } from '../helpers/program.ts';
import { missing, tool } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const EXAMPLE = join(import.meta.dirname, '../../nginx-compat/example');
const MANIFEST = '/v2/library/app/manifests/1';

/** What people run, as it stands in its own file, and how the program checks and runs it. */
const BALANCERS = {
  haproxy: {
    file: 'haproxy.cfg',
    // The check asks for /v2/, which stays good.
    storageFails: [500, 500],
    check: (file: string) => ['-c', '-f', file],
    run: (file: string) => ['-db', '-f', file],
  },
  apache2: {
    file: 'apache.conf',
    // The answer that shows the failure goes to its client.
    storageFails: [500, 200],
    check: (file: string, folder: string) => ['-t', '-d', folder, '-f', file],
    run: (file: string, folder: string) => ['-X', '-d', folder, '-f', file],
  },
};

/** The registries that all examples name: a NAS at 8081, and its copy at 8083, which has other paths. */
async function registries(t: Test): Promise<{ nas: LabRegistry; copy: LabRegistry }> {
  const [nas, copy] = await Promise.all([startLabRegistry({ harbor: true }), startLabRegistry()]);
  t.teardown(() => Promise.all([nas.close(), copy.close()]));
  nas.seed('library/app', '1', { blobs: [1000] });
  copy.seed('example-project/app', '1', { blobs: [1000] });
  nas.seed('library/canary', 'latest', { blobs: [64] });
  copy.seed('example-project/canary', 'latest', { blobs: [64] });
  return { nas, copy };
}

/** The status of the manifest's reply, for a push. */
async function push(client: Client): Promise<number> {
  const [config, layer] = [Buffer.from('{}'), Buffer.from('pushed')];
  for (const bytes of [config, layer]) {
    const begun = await client.ask('/v2/library/app/blobs/uploads/', { method: 'POST' });
    if (begun.status !== 202) return begun.status;
    const url = new URL(String(begun.headers.location), 'https://cr.example.io');
    url.searchParams.set('digest', sha256(bytes));
    const { status } = await client.ask(url.pathname + url.search, { method: 'PUT', body: bytes });
    if (status !== 201) return status;
  }
  const headers = { 'content-type': MANIFEST_TYPE };
  const body = manifestOf(config, layer);
  const { status } = await client.ask('/v2/library/app/manifests/new', { method: 'PUT', headers, body });
  return status;
}

for (const [name, { file, storageFails, check, run }] of Object.entries(BALANCERS))
  t.test(`${name}: pulls fail over, and so do pushes`, { skip: missing(name) }, async (t) => {
    const folder = await writeMaterial(t);
    const configFile = join(folder, file);
    await copyFile(join(EXAMPLE, file), configFile);
    await copyFile(join(folder, 'tls.crt'), join(folder, 'cr.example.io.pem'));
    await appendFile(join(folder, 'cr.example.io.pem'), await readFile(join(folder, 'tls.key')));
    await promisify(execFile)(tool(name), check(configFile, folder), { cwd: folder });
    t.pass('the program takes the example');

    const { nas, copy } = await registries(t);
    const [https = 0, http = 0, inner = 0] = await freePorts(3);
    const ports = { 8443: https, 8080: http, 8081: nas.port, 8082: inner, 8083: copy.port };
    const text = await readFile(configFile, 'utf8');
    await writeFile(
      configFile,
      text.replace(/\b80(80|81|82|83)\b|\b8443\b/g, (port) => String(ports[Number(port) as keyof typeof ports])),
    );
    const args = run(configFile, folder);
    const program = new Program(t, { command: tool(name), args, cwd: folder, logFile: join(folder, 'log') });
    program.start();
    const ca = readFileSync(join(folder, 'tls.crt'), 'utf8');
    const client = new Http1Client({ port: https, ca, host: 'cr.example.io' });
    t.teardown(() => client.close());
    const status = async () => (await client.ask(MANIFEST).catch(() => undefined))?.status;
    await until(async () => (await status()) === 200, { what: () => program.log() });
    t.ok(
      nas.requests.some(({ url }) => url === MANIFEST),
      'the NAS serves',
    );

    await nas.faults.on('errors');
    t.same([await status(), await status()], storageFails, 'two pulls while its storage fails');
    await nas.faults.off();

    await nas.faults.on('down');
    await until(async () => (await status()) === 200, { what: () => program.log() });
    t.ok(
      copy.requests.some(({ url }) => url === '/v2/example-project/app/manifests/1'),
      'the copy serves',
    );
    t.equal(await push(client), 201, 'a push is taken');
    t.ok(copy.store.repository('example-project/app').tags.has('new'), 'by the copy');
    await nas.faults.off('down');
    t.notOk(nas.store.repository('library/app').tags.has('new'), 'and the NAS never gets it');
  });

t.test('Breakwater in their place: pulls fail over, and pushes are refused', async (t) => {
  const { nas, copy } = await registries(t);
  const text = await readFile(join(EXAMPLE, 'breakwater.yaml'), 'utf8');
  const { upstreams, routes, passthrough } = parse(
    text.replace(':8081', `:${nas.port}`).replace(':8083', `:${copy.port}`),
  );
  for (const one of Object.values(upstreams) as { probe: object }[]) Object.assign(one.probe, PROBE);
  const edge = await startEdgeInProcess(t, { upstreams, routes, passthrough });
  await edge.pushes('nas', true);
  const client = edge.http1();
  t.match(await client.ask(MANIFEST), { status: 200, headers: { 'x-breakwater-upstream': 'nas' } });
  for (const fault of ['errors', 'storageHung', 'down'] as const) {
    await nas.faults.off();
    await edge.upstream('nas', 'up');
    await nas.faults.on(fault);
    const pulled = await client.ask(MANIFEST);
    t.match(pulled, { status: 200, headers: { 'x-breakwater-upstream': 'copy' } }, `the first pull: ${fault}`);
  }
  await edge.pushes('nas', false);
  t.equal(await push(client), 403);
  t.notOk(copy.store.repository('example-project/app').tags.has('new'));
});
