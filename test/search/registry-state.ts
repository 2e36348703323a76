import { sha256 } from '../helpers/lab-site.ts';

export interface Repository {
  tags: Map<string, string>;
  manifests: Map<string, Buffer>;
  blobs: Map<string, Buffer>;
}

/** What a registry stores. */
export class RegistryState {
  readonly repositories = new Map<string, Repository>();

  repository(name: string): Repository {
    let found = this.repositories.get(name);
    if (!found) {
      found = { tags: new Map(), manifests: new Map(), blobs: new Map() };
      this.repositories.set(name, found);
    }
    return found;
  }

  tag(name: string, tag: string): string | undefined {
    return this.repositories.get(name)?.tags.get(tag);
  }

  manifest(name: string, reference: string): Buffer | undefined {
    const found = this.repositories.get(name);
    return found?.manifests.get(found.tags.get(reference) ?? reference);
  }

  /** Stores an image of one blob that is also its configuration. @returns its digest */
  put(name: string, tag: string | undefined, manifest: Buffer, blob: Buffer): string {
    const repository = this.repository(name);
    repository.blobs.set(sha256(blob), blob);
    const digest = sha256(manifest);
    repository.manifests.set(digest, manifest);
    if (tag !== undefined) repository.tags.set(tag, digest);
    return digest;
  }

  /** Deletes a tag, or a manifest with all its tags. False: it is not there. */
  delete(name: string, reference: string): boolean {
    const { tags, manifests } = this.repository(name);
    if (!reference.includes(':')) return tags.delete(reference);
    for (const [tag, digest] of [...tags]) if (digest === reference) tags.delete(tag);
    return manifests.delete(reference);
  }

  copy(): RegistryState {
    const copy = new RegistryState();
    for (const [name, { tags, manifests, blobs }] of this.repositories)
      copy.repositories.set(name, { tags: new Map(tags), manifests: new Map(manifests), blobs: new Map(blobs) });
    return copy;
  }
}
