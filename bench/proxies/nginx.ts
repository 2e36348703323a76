import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { startDaemon } from './daemon.ts';

/**
 * A real nginx that is one process, so that nothing of it can outlive the benchmark; it works as with one worker.
 * @param http what stands in the `http` block; `ports` are those it listens on. @returns its process id
 */
export async function startNginx(owner: Owner, http: string, ports: readonly number[]): Promise<number> {
  const folder = temporaryFolder(owner);
  const file = join(folder, 'nginx.conf');
  await writeFile(file, configuration(folder, http));
  const args = ['-p', folder, '-c', file, '-e', join(folder, 'error.log')];
  return startDaemon(owner, { name: 'nginx', args, folder, ports });
}

function configuration(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
master_process off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
${http}
}
`;
}
