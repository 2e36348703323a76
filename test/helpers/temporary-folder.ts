import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What helpers need of a tap test: a place to say how to clean up. Last said, first done. */
export interface Owner {
  teardown(clean: () => unknown): unknown;
}

/**
 * A folder of its own, gone when the test ends. The name is short, since sockets in it must fit in 108 bytes, and in
 * lower case, since podman makes an image's name of it.
 */
export function temporaryFolder(owner: Owner): string {
  const folder = join(tmpdir(), `bw-${randomBytes(6).toString('hex')}`);
  mkdirSync(folder, { mode: 0o700 });
  owner.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}
