import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';

/** A made certificate for 127.0.0.1 and localhost, as files. */
export interface CertificateFiles {
  /** Folder with `ca.crt` alone, as skopeo and podman want it. */
  authorityFolder: string;
  authority: string;
  certFile: string;
  keyFile: string;
}

export async function writeCertificate(owner: Owner, names: readonly string[] = []): Promise<CertificateFiles> {
  const { cert, key, ca } = await makeCertificate({ names, authority: true });
  const folder = temporaryFolder(owner);
  const authorityFolder = temporaryFolder(owner);
  const certFile = join(folder, 'tls.crt');
  const keyFile = join(folder, 'tls.key');
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  await writeFile(join(authorityFolder, 'ca.crt'), ca);
  return { authorityFolder, authority: ca, certFile, keyFile };
}
