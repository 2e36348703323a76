import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateFiles } from '../../test/helpers/certificate.ts';
import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { startDaemon } from './daemon.ts';

export interface HaproxyOptions {
  /** Frontends and backends. A `bind` takes the certificate as `crt ${pem}`. */
  sections: (pem: string) => string;
  certificate: CertificateFiles;
  ports: readonly number[];
}

/** A real HAProxy: one process, one thread, buffers as large as nginx's. @returns its process id */
export async function startHaproxy(owner: Owner, { sections, certificate, ports }: HaproxyOptions): Promise<number> {
  const folder = temporaryFolder(owner);
  const pem = join(folder, 'tls.pem');
  const parts = await Promise.all([certificate.certFile, certificate.keyFile].map((file) => readFile(file, 'utf8')));
  await writeFile(pem, parts.join('\n'), { mode: 0o600 });
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, configuration(sections(pem)));
  return startDaemon(owner, { name: 'haproxy', args: ['-db', '-f', file], folder, ports });
}

function configuration(sections: string): string {
  return `
global
  nbthread 1
  maxconn 4096
  tune.bufsize 65536
  tune.ssl.default-dh-param 2048
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  http-reuse always
  timeout connect 3s
  timeout client 60s
  timeout http-keep-alive 60s
  timeout server 60s
${sections}
`;
}
