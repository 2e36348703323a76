import { createHash } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { command, tryCommand } from '../helpers/command.ts';
import { writeImage } from '../helpers/image.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';

const launcher = join(import.meta.dirname, '../../bin/breakwater');
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Pushes an artifact as helm and cosign do: a configuration and one blob, of types of their own. @returns its digest */
async function pushArtifact(
  registry: Registry,
  repository: string,
  tag: string,
  { configType, blobType, content }: { configType: string; blobType: string; content: string },
): Promise<string> {
  const parts = [
    { mediaType: configType, bytes: Buffer.from('{"name":"app"}') },
    { mediaType: blobType, bytes: Buffer.from(content) },
  ];
  for (const { bytes } of parts) {
    const begun = await fetch(`${registry.url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    const location = `${begun.headers.get('location')}&digest=${sha256(bytes)}`;
    const headers = { 'content-type': 'application/octet-stream' };
    const put = await fetch(location, { method: 'PUT', body: bytes, headers });
    if (put.status !== 201) throw new Error(`${put.status} ${await put.text()}`);
  }
  const [config, blob] = parts.map(({ mediaType, bytes }) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  }));
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [blob] }));
  const url = `${registry.url}/v2/${repository}/manifests/${tag}`;
  const put = await fetch(url, { method: 'PUT', body: manifest, headers: { 'content-type': MANIFEST } });
  if (put.status !== 201) throw new Error(`${put.status} ${await put.text()}`);
  return sha256(manifest);
}

/** What skopeo says of every tag: the bytes of its manifest, and what it is made of. */
async function inspectAll({ address, url }: Registry): Promise<Record<string, string>> {
  const { repositories } = (await (await fetch(`${url}/v2/_catalog`)).json()) as { repositories: string[] };
  const found: Record<string, string> = {};
  for (const repository of repositories) {
    const { tags } = (await (await fetch(`${url}/v2/${repository}/tags/list`)).json()) as { tags: string[] };
    for (const tag of tags) {
      const image = `docker://${address}/${repository}:${tag}`;
      const raw = await command(tool('skopeo'), ['inspect', '--tls-verify=false', '--raw', image]);
      // Of what is no image skopeo shows the raw manifest alone.
      const shown = await tryCommand(tool('skopeo'), ['inspect', '--tls-verify=false', image]);
      found[`${repository}:${tag}`] = raw.stdout + shown.stdout.replaceAll(address, 'HERE');
    }
  }
  return found;
}

t.test(
  'a registry is moved, with everything that is on it',
  { skip: missing('docker-registry', 'skopeo') },
  async (t) => {
    const [old, fresh] = await Promise.all([startRegistry(t), startRegistry(t)]);
    const skopeo = new Skopeo(t);
    const oci = await writeImage(temporaryFolder(t), { layers: [200_000, 0, 3000] });
    const index = await writeImage(temporaryFolder(t), { layers: [100_000], platforms: ['amd64', 'arm64'] });
    for (const name of ['library/app', 'team/sub/app'])
      await skopeo.copy(`oci:${oci.folder}:latest`, `docker://${old.address}/${name}:v1`);
    await skopeo.copy(`oci:${index.folder}:latest`, `docker://${old.address}/library/app:multi`);
    const plain = ['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false', '--format', 'v2s2'];
    await command(tool('skopeo'), [...plain, `oci:${oci.folder}:latest`, `docker://${old.address}/library/app:docker`]);
    const list = [...plain, '--all', `oci:${index.folder}:latest`, `docker://${old.address}/library/list:latest`];
    await command(tool('skopeo'), list);
    const signature = { configType: 'application/vnd.oci.image.config.v1+json', content: 'signed' };
    await pushArtifact(old, 'library/app', `${oci.digest.replace(':', '-')}.sig`, {
      ...signature,
      blobType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    });
    await pushArtifact(old, 'charts/app', '1.2.3_build.4', {
      configType: 'application/vnd.cncf.helm.config.v1+json',
      blobType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
      content: 'a chart',
    });

    const before = await inspectAll(old);
    t.equal(Object.keys(before).length, 7);
    const types = Object.values(before).map((text) => /"mediaType":\s*"([^"]+)"/.exec(text)?.[1]);
    for (const part of ['manifest.v1+json', 'index.v1+json', 'docker.distribution.manifest.v2', 'manifest.list.v2'])
      t.ok(
        types.some((type) => type?.includes(part)),
        `${part} is among them`,
      );
    const synced = await tryCommand(launcher, ['sync', old.url, fresh.url, '--json']);
    t.equal(synced.status, 0, synced.output);
    t.match(JSON.parse(synced.stdout).summary, { complete: true, copied: 7, failed: 0 });
    t.strictSame(await inspectAll(fresh), before);
    for (const name of ['library/app:v1', 'library/app:multi', 'library/list:latest'])
      t.equal(
        await skopeo.pull(`${fresh.address}/${name}`),
        await skopeo.pull(`${old.address}/${name}`),
        `${name} is whole`,
      );
    t.strictSame(
      fresh.requests().filter((line) => line.startsWith('DELETE')),
      [],
    );
    const written = fresh.writes();
    t.equal((await tryCommand(launcher, ['sync', old.url, fresh.url])).status, 0);
    t.equal(fresh.writes(), written, 'the second time there is nothing to write');
  },
);
