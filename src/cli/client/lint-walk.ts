import { type Dirent, lstatSync } from 'node:fs';
import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { type FileKind, kindOfPath, mayBeManifest } from '../../clients/lint/file-kind.ts';
import type { Finding } from '../../clients/lint/finding.ts';
import { kindOfSource, type SourceFile } from '../../clients/lint/lint.ts';
import { readText, reasonOf, unreadable } from './lint-read.ts';

/** Names that are looked at, and files and bytes that are read. A node has far fewer files of the programs that are known. */
const LIMITS = { entries: 400_000, files: 5_000, bytes: 64 * 1_048_576 };
const MAX_DEPTH = 24;

/** Folders of a whole system that have no configuration of a client, or too many files. */
const SKIPPED =
  /^(proc|sys|dev|run|tmp|boot|lost\+found|usr\/(?!share$|share\/containers)[^/]+|usr\/share\/(?!containers)[^/]+|(s?bin|lib\w*)|media|mnt|snap|var\/(log|cache|tmp|spool|backups)|var\/lib\/(docker|containerd|dpkg|apt|buildkit|containers\/storage)|var\/lib\/kubelet\/(pods|plugins|device-plugins)|var\/lib\/rancher\/\w+\/(data|server|storage|agent\/containerd))$/;
const SKIPPED_ANYWHERE = new Set(['node_modules', '.git', 'lost+found']);
/** Folders whose absence from the result must be told. */
const OF_CLIENTS = /docker|container|crio|rancher|kube|buildkit|gitlab-runner|certs|microk8s/;
/** Where a system keeps files whose content tells what they are. */
const OF_CONFIGURATION = /^(etc|var\/lib\/(kubelet|rancher)|var\/snap)\//;

export interface WalkedTree {
  sources: SourceFile[];
  findings: Finding[];
  notes: string[];
  /** The tree has `/etc`, so that absolute paths in its files can be looked up. */
  isSystem: boolean;
  exists: (path: string) => boolean | undefined;
}

/** All files below a folder that some program of a client reads. Links lead to loops nowhere, and to nothing outside of it. */
export async function walkTree(folder: string, limits = LIMITS): Promise<WalkedTree> {
  const root = await realpath(resolve(folder));
  const isSystem = await stat(join(root, 'etc')).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const walk = new Walk(root, isSystem, limits);
  await walk.run();
  walk.sources.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { sources: walk.sources, findings: walk.findings, notes: walk.notes(), isSystem, exists: walk.exists };
}

class Walk {
  readonly sources: SourceFile[] = [];
  readonly findings: Finding[] = [];
  readonly #root: string;
  readonly #isSystem: boolean;
  readonly #limits: typeof LIMITS;
  readonly #waiting: { folder: string; depth: number; isLinked: boolean }[];
  #entries = 0;
  #files = 0;
  #bytes = 0;
  #unreadable = 0;
  #isCut = false;

  constructor(root: string, isSystem: boolean, limits: typeof LIMITS) {
    this.#limits = limits;
    this.#root = root;
    this.#isSystem = isSystem;
    this.#waiting = [{ folder: root, depth: 0, isLinked: false }];
  }

  readonly exists = (path: string): boolean | undefined => {
    const isInside = path === this.#root || path.startsWith(this.#root.replace(/\/?$/, sep));
    if (!isInside && !this.#isSystem) return undefined;
    try {
      lstatSync(isInside ? path : join(this.#root, path));
      return true;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      return code === 'ENOENT' || code === 'ENOTDIR' ? false : undefined;
    }
  };

  async run(): Promise<void> {
    for (let next = this.#waiting.pop(); next && !this.#isCut; next = this.#waiting.pop()) await this.#folder(next);
  }

  notes(): string[] {
    const unreadableNote = `${this.#unreadable} folders could not be read. Run this command as root to look at them too.`;
    return this.#unreadable > 0 ? [unreadableNote] : [];
  }

  async #folder({ folder, depth, isLinked }: { folder: string; depth: number; isLinked: boolean }): Promise<void> {
    let entries: Dirent[];
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (error) {
      if (OF_CLIENTS.test(relative(this.#root, folder)) || depth === 0)
        this.findings.push(unreadable(folder, reasonOf(error)));
      else this.#unreadable += 1;
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      this.#entries += 1;
      const { entries: most, files, bytes } = this.#limits;
      if (this.#entries > most || this.#files > files || this.#bytes > bytes) {
        this.#cut(folder);
        return;
      }
      const path = join(folder, entry.name);
      if (entry.isDirectory()) this.#descend(path, depth, isLinked);
      else if (entry.isFile()) await this.#file(path, path);
      else if (entry.isSymbolicLink()) await this.#link(path, depth, isLinked);
      else if (this.#kind(path)) this.findings.push(unreadable(path, 'it is no regular file'));
    }
  }

  #descend(path: string, depth: number, isLinked: boolean): void {
    if (isLinked || depth >= MAX_DEPTH || SKIPPED_ANYWHERE.has(basename(path))) return;
    if (this.#isSystem && SKIPPED.test(relative(this.#root, path))) return;
    this.#waiting.push({ folder: path, depth: depth + 1, isLinked: false });
  }

  /** A link to a file counts as that file. Of folders, only those of registries are followed, because their names matter. */
  async #link(path: string, depth: number, isLinked: boolean): Promise<void> {
    const target = await this.#target(path);
    if (target === undefined) {
      if (this.#kind(path))
        this.findings.push(unreadable(path, 'it is a link that leads nowhere, or out of the folder'));
      return;
    }
    const found = await stat(target).catch(() => undefined);
    if (found?.isFile()) await this.#file(path, target);
    else if (found?.isDirectory() && !isLinked && /^certs(\.\w+)?\.d$/.test(basename(dirname(path))))
      this.#waiting.push({ folder: path, depth: depth + 1, isLinked: true });
  }

  /** Where a link leads, if that is inside. An absolute link of a copied system starts at its copy. */
  async #target(path: string): Promise<string | undefined> {
    const inside = (place: string) => place === this.#root || place.startsWith(this.#root.replace(/\/?$/, sep));
    try {
      const link = await readlink(path);
      const isCopied = this.#isSystem && this.#root !== '/' && link.startsWith('/') && !inside(link);
      const real = await realpath(isCopied ? join(this.#root, link) : path);
      return inside(real) ? real : undefined;
    } catch {
      return undefined;
    }
  }

  #kind(path: string): FileKind | undefined {
    return kindOfPath(path) ?? kindOfPath(`/${relative(this.#root, path)}`);
  }

  /** @param path its name, which tells what it is @param place where its content is */
  async #file(path: string, place: string): Promise<void> {
    const kind = this.#kind(path);
    if (!kind && !this.#mayTell(path)) return;
    this.#files += 1;
    const read = await readText(place, kind);
    if ('finding' in read) {
      // Any other file may be large or binary.
      if (kind) this.findings.push({ ...read.finding, file: path });
      return;
    }
    this.#bytes += read.text.length;
    const source = { path, text: read.text, ...(kind ? { kind } : {}) };
    const known = kindOfSource(source);
    if (known) this.sources.push({ ...source, kind: known });
  }

  /** Whether the content may tell what a file is. A system is full of YAML and JSON of others. */
  #mayTell(path: string): boolean {
    const isPlace = !this.#isSystem || OF_CONFIGURATION.test(relative(this.#root, path));
    return isPlace && (mayBeManifest(path) || /\.toml$/.test(path));
  }

  #cut(folder: string): void {
    this.#isCut = true;
    const { entries, files } = this.#limits;
    this.findings.push({
      rule: 'tree-not-whole',
      effect: 'broken',
      file: folder,
      line: 1,
      happens: `There is more below this folder than is looked at (${entries} names, ${files} files, 64 MiB).`,
      remedy: 'Name a smaller folder, such as /etc.',
    });
  }
}
