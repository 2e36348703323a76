import t from 'tap';
import { isAtLeast, knownVersion } from '../../../src/clients/generate/version.ts';

t.test('versions are compared number by number', async (t) => {
  for (const [version, least, wanted] of [
    ['2.10', '2.9', true],
    ['1.7', '2', false],
    ['2', '2.1', false],
    ['2.1', '2.1', true],
    ['3', '2.9', true],
  ] as const)
    t.equal(isAtLeast(version, least), wanted, `${version} ${least}`);
});

t.test('a version as a program prints it', async (t) => {
  const known = ['1.6', '1.7', '20.10', '29'];
  for (const [given, wanted] of [
    ['1.6.20~ds1', '1.6'],
    ['v1.7.28', '1.7'],
    ['1.7', '1.7'],
    ['29.1.2-rc1', '29'],
    ['1.65', undefined],
    ['1', undefined],
    ['', undefined],
    ['1.6;rm', undefined],
  ] as const)
    t.equal(knownVersion(given, known), wanted, given);
});
