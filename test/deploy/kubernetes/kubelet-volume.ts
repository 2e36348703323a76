import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProjectedSource } from './chart.ts';

/** Content by the name of a Secret or ConfigMap, then by key. */
export type Objects = Record<string, Record<string, string>>;

/**
 * A projected volume as the kubelet writes it: the files lie in a folder with the time in its name, `..data` is a link to it, and what
 * stands in the volume are links through `..data`. An update is one rename of that link.
 */
export class KubeletVolume {
  readonly folder: string;
  readonly #sources: readonly ProjectedSource[];
  #updates = 0;

  constructor(folder: string, sources: readonly ProjectedSource[]) {
    this.folder = folder;
    this.#sources = sources;
  }

  /** Throws for a key that is in no object, as the kubelet then does not start the pod. */
  update(objects: Objects): void {
    this.#updates += 1;
    const payload = `..2026_${this.#updates}`;
    const tops = new Set<string>();
    for (const source of this.#sources) {
      const { name, items } = source.secret ?? source.configMap ?? { name: '', items: [] };
      for (const { key, path } of items) {
        const content = objects[name]?.[key];
        if (content === undefined) throw new Error(`references non-existent key: ${name}/${key}`);
        const file = join(this.folder, payload, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, content, { mode: 0o440 });
        tops.add(path.split('/')[0] ?? path);
      }
    }
    symlinkSync(payload, join(this.folder, '..data_tmp'));
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'));
    if (this.#updates > 1) return;
    for (const top of tops) symlinkSync(join('..data', top), join(this.folder, top));
  }
}
