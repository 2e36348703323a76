import t from 'tap';
import { shownValue } from '../../src/config/issue.ts';
import { keyText } from '../../src/config/key-path.ts';
import { nearest } from '../../src/config/nearest.ts';
import { isImage } from '../../src/config/text.ts';

t.test('the nearest name', async (t) => {
  const names = ['hostname', 'listen', 'tls', 'keyFile', 'passwordFile', 'urls', 'none'];
  const cases: [name: string, near: string | undefined][] = [
    ['hostnam', 'hostname'],
    ['HOSTNAME', 'hostname'],
    ['url', 'urls'],
    ['keyfile', 'keyFile'],
    ['password', 'passwordFile'],
    ['listener', 'listen'],
    ['no', undefined],
    ['non', 'none'],
    ['x', undefined],
    ['zz', undefined],
    ['constructor', undefined],
  ];
  for (const [name, near] of cases) t.equal(nearest(name, names), near, name);
  t.equal(nearest('a', []), undefined);
});

t.test('a value in a message', async (t) => {
  const cases: [value: unknown, path: (string | number)[], shown: string][] = [
    [undefined, [], 'is missing'],
    [null, [], 'is empty'],
    [[], [], 'is a list'],
    [{ password: 'hunter2' }, [], 'is a map'],
    [5, ['a'], 'is 5'],
    [true, ['a'], 'is true'],
    ['x\u001b[2J"', ['a'], 'is "x\\u001b[2J\\""'],
    ['a'.repeat(100), ['a'], `is "${'a'.repeat(60)}…"`],
    ['hunter2', ['upstreams', 'a', 'credentials'], 'is text that is not shown'],
    [5, ['upstreams', 'a', 'credentials', 'passwordFile'], 'is a number that is not shown'],
    ['x:443', ['upstreams', 'a', 'credentials', 'realmHosts', 0], 'is "x:443"'],
    ['https://u:hunter2@h/p', ['upstreams', 'a', 'urls', 0], 'is "https://…@h/p"'],
    ['https://u:hunter2@hunter2@h', ['upstreams', 'a', 'urls', 0], 'is "https://…@h"'],
    ['u:hunter2@h', ['upstreams', 'a', 'urls', 0], 'is "…@h"'],
    ['htps//u:hunter2@h', ['upstreams', 'a', 'urls', 0], 'is "…@h"'],
    ['https://h/?token=hunter2', ['upstreams', 'a', 'urls', 0], 'is "https://h/?…"'],
  ];
  for (const [value, path, shown] of cases) t.equal(shownValue(value, path), shown);
});

t.test('the path of a key', async (t) => {
  t.equal(keyText([]), '');
  t.equal(keyText(['routes', 0, 'pull', 1, 'upstream']), 'routes[0].pull[1].upstream');
  t.equal(keyText(['upstreams', 'a.b', 'urls']), 'upstreams["a.b"].urls');
  t.equal(keyText(['a\n2:1: all is well']), '["a\\n2:1: all is well"]');
});

t.test('images', async (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  for (const good of ['a', 'a/b', 'a:1', 'library/canary:latest', `a/b@${digest}`]) t.ok(isImage(good), good);
  for (const bad of ['', 'A', 'a:', ':a', '/a', 'a/', 'a b', 'a@b', `a:1@${digest}`, 'https://a/b', 'h:5000/a:1'])
    t.notOk(isImage(bad), bad);
});
