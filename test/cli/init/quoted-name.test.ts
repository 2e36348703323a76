import { spawnSync } from 'node:child_process';
import t from 'tap';
import { parse } from 'yaml';
import { composeScalar, shellWord, yamlScalar } from '../../../src/cli/init/quoted-name.ts';

/** Names that some quoting breaks, those of Harbor's robots first. */
const NAMES = [
  'robot$breakwater',
  'robot$library+ci',
  'robot$${HOME}',
  '$$',
  "o'neill",
  'a b',
  'yes',
  '1e3',
  '~',
  '- a',
  '#a',
  'a: b',
  '{a}',
  '*a',
  '"a"',
  'back\\slash',
  '`id`',
  '$(id)',
  '!a',
  '_json_key',
  'é',
  '',
];

t.test('YAML reads a name as it is', async (t) => {
  for (const name of NAMES) {
    t.equal(parse(`username: ${yamlScalar(name)} # a comment\n`)?.username, name, name);
    t.notMatch(yamlScalar(name), /\n/);
  }
  t.equal(yamlScalar('robot$breakwater'), 'robot$breakwater', 'a dollar needs no quotes there');
});

t.test('a shell reads a name as it is', async (t) => {
  for (const name of NAMES) {
    const { stdout } = spawnSync('/bin/sh', ['-c', `printf %s ${shellWord(name)}`], { encoding: 'utf8' });
    t.equal(stdout, name, name);
  }
  t.equal(shellWord('/etc/breakwater.yaml'), '/etc/breakwater.yaml', 'no quotes where none are needed');
});

t.test('Compose files have two dollars for one', async (t) => {
  t.equal(composeScalar('robot$breakwater'), '"robot$$breakwater"');
  for (const name of NAMES)
    t.equal(
      parse(composeScalar(name)).replaceAll('$$', () => '$'),
      name,
      name,
    );
  t.equal(composeScalar('yes'), '"yes"', 'no boolean of YAML 1.1');
});
