import { readFileSync, writeFileSync } from 'node:fs';

// Takes out of package.json and package-lock.json beside it what compiling does not need: of the tools of development, all but the compiler
// and types; and the Node that npm brings for checkouts. What stays has the version and the hash of the lock file.

interface Locked {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** A package-lock.json with the packages that the remaining dependencies reach, looked up as Node looks for them. */
export function compilerOnly<T extends { packages: Record<string, Locked> }>(lock: T): T {
  const packages: Record<string, Locked> = { ...lock.packages, '': withoutTools(lock.packages[''] ?? {}) };
  const kept = new Set<string>();
  const keep = (path: string) => {
    if (kept.has(path)) return;
    kept.add(path);
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = packages[path] ?? {};
    const own = path === '' ? devDependencies : undefined;
    for (const name of Object.keys({ ...dependencies, ...own, ...optionalDependencies, ...peerDependencies })) {
      const place = placeOf(name, path, packages);
      if (place !== undefined) keep(place);
    }
  };
  keep('');
  return { ...lock, packages: Object.fromEntries(Object.entries(packages).filter(([path]) => kept.has(path))) };
}

/** A package.json, or its entry in the lock file. */
export function withoutTools<T extends Locked>({
  optionalDependencies: _,
  ...product
}: T): Omit<T, 'optionalDependencies'> {
  const tools = Object.entries(product.devDependencies ?? {});
  const needed = tools.filter(([name]) => name === 'typescript' || name.startsWith('@types/'));
  return { ...product, devDependencies: Object.fromEntries(needed) };
}

function placeOf(name: string, path: string, packages: Record<string, Locked>): string | undefined {
  for (let folder = path; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    const place = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (place in packages) return place;
    if (folder === '') return undefined;
  }
}

function rewrite<T>(file: string, change: (content: T) => unknown): void {
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')) as T), null, 2));
}

if (import.meta.main) {
  rewrite('package.json', withoutTools<Locked>);
  rewrite('package-lock.json', compilerOnly<{ packages: Record<string, Locked> }>);
}
