import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What helpers need of a tap test: a place to say how to clean up. Last said, first done. */
export interface Owner {
  teardown(clean: () => unknown): unknown;
}

/** A folder of its own, gone when the test ends. The name is short: sockets in it must fit in 108 bytes. */
export function temporaryFolder(owner: Owner): string {
  const folder = mkdtempSync(join(tmpdir(), 'bw-'));
  owner.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}
