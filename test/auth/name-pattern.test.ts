import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { NamePattern } from '../../src/auth/name-pattern.ts';
import { propertyRuns } from '../helpers/property-runs.ts';
import { timeLimit } from '../helpers/time-limit.ts';

t.test('what patterns match', async (t) => {
  const rows: [string, string[], string[]][] = [
    ['**', ['a', 'a/b', 'a/b/c'], []],
    ['*', ['a', 'a.b-c'], ['a/b']],
    ['library/**', ['library', 'library/a', 'library/a/b'], ['library2/a', 'x/library/a', 'librar']],
    ['library/*', ['library/a'], ['library', 'library/a/b', 'library2/a']],
    ['**/app', ['app', 'a/app', 'a/b/app'], ['a/app/b', 'a/myapp', 'apps']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b', 'a/b/b'], ['a', 'b', 'a/x', 'a/b/x']],
    ['a/**/b/**/c', ['a/b/c', 'a/b/b/c', 'a/x/b/y/c', 'a/b/c/b/c'], ['a/c', 'a/c/b', 'a/b/c/d']],
    ['**/**', ['a', 'a/b'], []],
    ['*/**', ['a', 'a/b'], []],
    ['**/*/x', ['a/x', 'a/b/x', 'x/x'], ['x', 'x/y']],
    ['team-*', ['team-a', 'team-'], ['team', 'team-a/b', 'ateam-a']],
    ['*-prod', ['a-prod', '-prod'], ['prod', 'a-prod2']],
    ['a*b*c', ['abc', 'axbxc', 'abbcc'], ['acb', 'ab', 'a/b/c', 'abcd']],
    ['a*a', ['aa', 'aba'], ['a']],
    ['ab*ba', ['abba', 'abxba'], ['aba']],
    ['*ab*ab*', ['abab', 'xabyabz'], ['ab', 'aab']],
    ['a**b', ['ab', 'axb'], ['a/b']],
    ['a.b', ['a.b'], ['axb']],
    ['a', ['a'], ['b', 'aa', 'a/a', '']],
  ];
  for (const [text, yes, no] of rows) {
    const pattern = new NamePattern(text);
    for (const name of yes) t.equal(pattern.matches(name), true, `${text} matches ${name}`);
    for (const name of no) t.equal(pattern.matches(name), false, `${text} does not match ${name}`);
  }
});

t.test('no name takes long', async (t) => {
  const rows: [string, string][] = [
    [`${'*-'.repeat(12)}prod`, `a${'-'.repeat(240)}a`],
    [`${'**/a/'.repeat(20)}b`, `${'a/'.repeat(125)}a`],
  ];
  for (const [text, name] of rows) {
    const started = performance.now();
    t.equal(new NamePattern(text).matches(name), false);
    t.ok(performance.now() - started < timeLimit(100), `${text} in ${performance.now() - started} ms`);
  }
});

t.test('property: it matches what the regular expression of the same meaning does', async () => {
  const part = fc.oneof(fc.constant('**'), fc.stringMatching(/^[ab*]{1,4}$/));
  const pattern = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const name = fc
    .array(fc.stringMatching(/^[ab]{1,3}$/), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(pattern, name, (text, name) => {
      assert.equal(new NamePattern(text).matches(name), slow(text).test(`/${name}`), `${text} and ${name}`);
    }),
    { numRuns: propertyRuns(500) },
  );
});

/** Every part with the slash before it, so that `**` can stand for none. */
function slow(pattern: string): RegExp {
  const parts = pattern.split('/').map((part) => (part === '**' ? '(/[^/]+)*' : `/${part.replace(/\*+/g, '[^/]*')}`));
  return new RegExp(`^${parts.join('')}$`);
}
