import { gzipSync } from 'node:zlib';
import { sha256 } from '../oci/reference.ts';
import { helloProgram } from './hello-program.ts';
import { madeUp, type Seed } from './seed.ts';
import { makeTar, type TarEntry } from './tar.ts';

/** Bytes of the blob that makes `big` big. */
const BIG = 32_000_000;

/** A real image that podman and docker can unpack, and run if it has a command. The same bytes every time. */
export function sampleImage(files: readonly (readonly TarEntry[])[], command?: string[]): Seed {
  const archives = files.map(makeTar);
  const config = {
    created: '2026-01-01T00:00:00Z',
    architecture: 'amd64',
    os: 'linux',
    config: command ? { Cmd: command } : {},
    rootfs: {
      type: 'layers',
      diff_ids: archives.map(sha256),
    },
    history: archives.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'breakwater lab' })),
  };
  // Stored, not compressed: most of it is noise.
  return { blobs: archives.map((archive) => gzipSync(archive, { level: 0 })), config };
}

/** What both registries of the lab hold, by name without a prefix. */
export function sampleImages(): Record<'hello' | 'canary' | 'big', Seed> {
  const text = 'Hello from the Breakwater lab.\n';
  const readme = { path: 'README', content: Buffer.from(text) };
  return {
    hello: sampleImage([[{ path: 'hello', content: helloProgram(text), mode: 0o755 }], [readme]], ['/hello']),
    canary: sampleImage([[{ path: 'canary', content: Buffer.from('still here\n') }]]),
    big: sampleImage([[readme], [{ path: 'big', content: madeUp(BIG, 0) }]]),
  };
}
