import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Owner, temporaryFolder } from './temporary-folder.ts';

/** A folder for PATH with credential helpers of a test: shell scripts, by NAME of docker-credential-NAME. */
export function helperFolder(owner: Owner, helpers: Record<string, string>): string {
  const folder = temporaryFolder(owner);
  for (const [name, script] of Object.entries(helpers))
    writeFileSync(join(folder, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
}

/** A script that prints what a good helper prints. */
export function printing(username: string, secret: string): string {
  return `cat >/dev/null; echo '${JSON.stringify({ ServerURL: 'x', Username: username, Secret: secret })}'`;
}

/** An environment in which these helpers, and the tools of a shell, are found. */
export function environmentWith(folder: string): NodeJS.ProcessEnv {
  return { PATH: `${folder}:/usr/bin:/bin`, HOME: '/nonexistent', AWS_SECRET_ACCESS_KEY: 'of the edge alone' };
}

/** A helper that prints the login of a user with what it is given. It is found by this process, as the edge finds it. */
export function useHelper(owner: Owner, name: string, username: string): (secret: string) => void {
  const file = join(temporaryFolder(owner), 'secret');
  const print = `cat >/dev/null; printf '{"Username":"${username}","Secret":"%s"}' "$(cat ${file})"`;
  useHelpers(owner, { [name]: print });
  return (secret) => writeFileSync(file, secret);
}

/** Helpers that this process finds, as the edge finds them. @returns their folder */
export function useHelpers(owner: Owner, helpers: Record<string, string>): string {
  const folder = helperFolder(owner, helpers);
  const before = process.env.PATH;
  process.env.PATH = environmentWith(folder).PATH;
  owner.teardown(() => {
    process.env.PATH = before;
  });
  return folder;
}
