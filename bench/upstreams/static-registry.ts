import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CertificateFiles, writeCertificate } from '../../test/helpers/certificate.ts';
import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { startNginx } from '../proxies/nginx.ts';
import { freePorts } from '../proxies/ports.ts';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** An upstream that costs next to nothing: nginx serves one image from the page cache, at the paths of a registry. */
export interface StaticRegistry {
  url: string;
  /** The same registry over TLS 1.3 with AES-128-GCM. */
  tlsUrl: string;
  /** File with the CA that signed the certificate. */
  caFile: string;
  /** Paths below `/v2/`. */
  paths: { blob: string; tag: string; digest: string };
  blobBytes: number;
  manifestBytes: number;
}

export async function startStaticRegistry(owner: Owner, mib: number): Promise<StaticRegistry> {
  const folder = temporaryFolder(owner);
  const repository = join(folder, 'v2/bench/app');
  await mkdir(join(repository, 'blobs'), { recursive: true });
  await mkdir(join(repository, 'manifests'), { recursive: true });
  const blobBytes = mib * 1_048_576;
  const blob = await writeBlob(join(repository, 'blobs'), mib);
  const manifest = imageManifest(blob, blobBytes);
  const digest = sha256(manifest);
  for (const name of ['v1', digest]) await writeFile(join(repository, 'manifests', name), manifest);
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const certificate = await writeCertificate(owner);
  await startNginx(owner, http({ port, tlsPort, folder, digest, certificate }), [port, tlsPort]);
  const paths = {
    blob: `bench/app/blobs/${blob}`,
    tag: 'bench/app/manifests/v1',
    digest: `bench/app/manifests/${digest}`,
  };
  return {
    url: `http://127.0.0.1:${port}`,
    tlsUrl: `https://127.0.0.1:${tlsPort}`,
    caFile: join(certificate.authorityFolder, 'ca.crt'),
    paths,
    blobBytes,
    manifestBytes: manifest.length,
  };
}

interface Site {
  port: number;
  tlsPort: number;
  folder: string;
  /** Digest of the manifest. */
  digest: string;
  certificate: CertificateFiles;
}

function http({ port, tlsPort, folder, digest, certificate }: Site): string {
  return `
  sendfile on;
  tcp_nopush on;
  open_file_cache max=100;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen 127.0.0.1:${tlsPort} ssl backlog=4096;
    ssl_certificate ${certificate.certFile};
    ssl_certificate_key ${certificate.keyFile};
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_buffer_size 16k;
    root ${folder};
    add_header Docker-Distribution-Api-Version registry/2.0;
    location = /v2/ { default_type application/json; return 200 '{}'; }
    location ~ ^/v2/bench/app/blobs/(?<blob>sha256:.*)$ {
      default_type application/octet-stream;
      add_header Docker-Content-Digest $blob;
    }
    location /v2/bench/app/manifests/ {
      default_type ${MANIFEST_TYPE};
      add_header Docker-Content-Digest ${digest};
    }
  }`;
}

/** Random bytes, repeated, so that nothing can compress them. @returns the digest */
async function writeBlob(folder: string, mib: number): Promise<string> {
  const chunk = randomBytes(1_048_576);
  const hash = createHash('sha256');
  for (let index = 0; index < mib; index += 1) hash.update(chunk);
  const digest = `sha256:${hash.digest('hex')}`;
  await using file = await open(join(folder, digest), 'w');
  for (let index = 0; index < mib; index += 1) await file.write(chunk);
  return digest;
}

/** A manifest of usual size: eight blobs, about 1.4 KiB. */
function imageManifest(digest: string, size: number): Buffer {
  const descriptor = (kind: string) => ({ mediaType: `application/vnd.oci.image.${kind}`, digest, size });
  const layers = Array.from({ length: 7 }, () => descriptor('layer.v1.tar+gzip'));
  const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: descriptor('config.v1+json'), layers };
  return Buffer.from(JSON.stringify(manifest));
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
