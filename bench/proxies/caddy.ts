import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { startDaemon } from './daemon.ts';

/** A real Caddy, with as many threads as it likes. @param sites the Caddyfile's site blocks. @returns its process id */
export async function startCaddy(owner: Owner, sites: string, ports: readonly number[]): Promise<number> {
  const folder = temporaryFolder(owner);
  const file = join(folder, 'Caddyfile');
  await writeFile(file, configuration(sites));
  return startDaemon(owner, {
    name: 'caddy',
    args: ['run', '--adapter', 'caddyfile', '--config', file],
    folder,
    ports,
    // Its data is removed with the folder.
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
}

function configuration(sites: string): string {
  return `
{
  admin off
  auto_https off
  log {
    level ERROR
  }
  servers {
    protocols h1 h2
  }
}
${sites}
`;
}
