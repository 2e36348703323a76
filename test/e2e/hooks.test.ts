import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { type EdgeInProcess, HOSTNAME, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { writeImage } from '../helpers/image.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const SECRET = 'the secret of the hooks';
const TOOLS = { skip: missing('docker-registry', 'skopeo') };

/** An edge, and a real registry that tells it of what happens; both find each other by their addresses. */
async function startPair(t: Test, authorization: string): Promise<{ edge: EdgeInProcess; registry: Registry }> {
  const certificate = await makeCertificate({ names: [HOSTNAME], authority: true });
  const caFile = join(temporaryFolder(t), 'ca.crt');
  writeFileSync(caFile, certificate.ca);
  const fallback = await startRegistry(t);
  const config = (url: string) => ({
    aliases: ['127.0.0.1'],
    upstreams: { primary: { urls: [url] }, fallback: { urls: [fallback.url] } },
    routes: [
      { prefix: '', push: 'primary', pull: [{ upstream: 'primary' }, { upstream: 'fallback', replicate: true }] },
    ],
  });
  const edge = await startEdgeInProcess(t, config('http://127.0.0.1:9'), { certificate, hookSecret: SECRET });
  const url = `https://127.0.0.1:${edge.port}/hooks/distribution`;
  const registry = await startRegistry(t, { notify: { url, authorization, caFile } });
  await edge.reload(config(registry.url));
  return { edge, registry };
}

async function hints(edge: EdgeInProcess, kind: 'push' | 'delete'): Promise<number> {
  const { body } = await edge.admin('/metrics');
  return Number(
    new RegExp(`^breakwater_hints_total\\{from="distribution",kind="${kind}"\\} (\\d+)$`, 'm').exec(body)?.[1],
  );
}

t.test('a real docker-registry tells what is pushed to it and deleted from it', TOOLS, async (t) => {
  const { edge, registry } = await startPair(t, `Bearer ${SECRET}`);
  const image = await writeImage(temporaryFolder(t), { platforms: ['amd64', 'arm64'] });
  await new Skopeo(t).push(image.folder, `${registry.address}/library/app:1`);
  await until(async () => (await hints(edge, 'push')) === 3, {
    what: () => `an index and its two manifests: ${edge.log}`,
  });
  const tagged = await edge.line((line) => line.kind === 'hook' && 'reference' in line && line.reference === '1');
  t.match(tagged, { status: 202, repository: 'library/app', hints: { from: 'distribution', push: 1, delete: 0 } });
  const deleted = await fetch(`${registry.url}/v2/library/app/manifests/${image.digest}`, { method: 'DELETE' });
  t.equal(deleted.status, 202);
  await until(async () => (await hints(edge, 'delete')) === 2, { what: () => `the index and its tag: ${edge.log}` });
  t.notOk(
    edge.requests.some(({ kind, status }) => kind === 'hook' && status !== 202),
    'nothing of what it sent was refused',
  );
});

t.test('one with another secret is refused, and goes on taking pushes', TOOLS, async (t) => {
  const { edge, registry } = await startPair(t, 'another secret');
  const image = await writeImage(temporaryFolder(t));
  await new Skopeo(t).push(image.folder, `${registry.address}/library/app:1`);
  await edge.line(({ kind, status }) => kind === 'hook' && status === 401);
  t.equal(await hints(edge, 'push'), 0);
});
