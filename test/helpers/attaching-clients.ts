import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command, type Finished, tryCommand } from './command.ts';
import { writeImage } from './image.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

/** The repository and tag, or digest, that something is attached to. */
interface Target {
  repository: string;
  tag: string;
}

/** A real client that attaches artifacts to an image. */
export interface AttachingClient {
  readonly name: string;
  tryAttach(to: Target, artifactType: string): Promise<Finished>;
  /** Types of what is attached; undefined: it has no command for that. */
  list?(to: Target): Promise<string[]>;
}

/** oras, regctl and crane, set up to trust the edge. @param authorityFolder has the certificate as `ca.crt` */
export function attachingClients(owner: Owner, authorityFolder: string): AttachingClient[] {
  const folder = temporaryFolder(owner);
  const env = { PATH: process.env.PATH, HOME: folder, SSL_CERT_FILE: join(authorityFolder, 'ca.crt') };
  const options = { env, cwd: folder };
  const image = ({ repository, tag }: Target) => `${repository}:${tag}`;
  const typesOf = ({ stdout }: Finished, key: string) =>
    ((JSON.parse(stdout)[key] ?? []) as { artifactType: string }[]).map(({ artifactType }) => artifactType).sort();
  const content = async (type: string) => {
    const file = `${type.replaceAll('/', '-')}.txt`;
    await writeFile(join(folder, file), type);
    return file;
  };
  return [
    {
      name: 'oras',
      tryAttach: async (to, type) =>
        tryCommand(tool('oras'), ['attach', '--artifact-type', type, image(to), await content(type)], options),
      list: async (to) =>
        typesOf(
          await command(tool('oras'), ['discover', '--format', 'json', '--depth', '1', image(to)], options),
          'referrers',
        ),
    },
    {
      name: 'regctl',
      tryAttach: async (to, type) =>
        tryCommand(
          tool('regctl'),
          ['artifact', 'put', '--artifact-type', type, '--subject', image(to), '--file', await content(type)],
          options,
        ),
      list: async (to) =>
        typesOf(
          await command(tool('regctl'), ['artifact', 'list', '--format', '{{json .}}', image(to)], options),
          'descriptors',
        ),
    },
    {
      // It attaches an image that names its subject.
      name: 'crane',
      tryAttach: async (to, type) => {
        const subject = (await command(tool('crane'), ['manifest', image(to)], options)).stdout;
        const layout = await layoutAbout(owner, Buffer.from(subject), type);
        return tryCommand(tool('crane'), ['push', layout, `${to.repository}:${type.replaceAll('/', '-')}`], options);
      },
    },
  ];
}

/** An OCI layout of an image that refers to another one. Its type is that of its configuration: crane writes no other into an index. */
async function layoutAbout(owner: Owner, manifest: Buffer, artifactType: string): Promise<string> {
  const { folder, digest } = await writeImage(temporaryFolder(owner), { layers: [100] });
  const blob = (name: string) => join(folder, 'blobs/sha256', name.replace('sha256:', ''));
  const own = JSON.parse(await readFile(blob(digest), 'utf8'));
  const { mediaType } = JSON.parse(manifest.toString());
  const subject = { mediaType, digest: sha256(manifest), size: manifest.length };
  const bytes = Buffer.from(JSON.stringify({ ...own, config: { ...own.config, mediaType: artifactType }, subject }));
  await writeFile(blob(sha256(bytes)), bytes);
  const manifests = [{ mediaType: own.mediaType, digest: sha256(bytes), size: bytes.length }];
  await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return folder;
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
