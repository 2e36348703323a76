import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { formatScope, mergeScopes, parseScope, renameScopes } from '../../src/oci/scope.ts';

t.test('reading', async (t) => {
  const rows: [string, unknown][] = [
    ['repository:library/app:pull', { type: 'repository', name: 'library/app', actions: ['pull'] }],
    ['repository:library/app:pull,push', { type: 'repository', name: 'library/app', actions: ['pull', 'push'] }],
    [
      'repository:cr.example.io:5000/library/app:push,pull',
      { type: 'repository', name: 'cr.example.io:5000/library/app', actions: ['push', 'pull'] },
    ],
    ['registry:catalog:*', { type: 'registry', name: 'catalog', actions: ['*'] }],
    ['repository(plugin):a/b:pull', { type: 'repository(plugin)', name: 'a/b', actions: ['pull'] }],
    ['repository:a:', { type: 'repository', name: 'a', actions: [] }],
    ['repository:a:pull,,push,pull,', { type: 'repository', name: 'a', actions: ['pull', 'push'] }],
    ['', undefined],
    ['repository', undefined],
    ['repository:a', undefined],
    ['repository::pull', undefined],
    [':a:pull', undefined],
    ['::', undefined],
  ];
  for (const [text, expected] of rows) t.strictSame(parseScope(text), expected, JSON.stringify(text));
});

t.test('renaming', async (t) => {
  const rename = (name: string) =>
    name.startsWith('library/') ? name.replace('library/', 'example-project/') : undefined;
  const rows: [string, string][] = [
    ['repository:library/app:pull', 'repository:example-project/app:pull'],
    [
      'repository:library/app:pull,push registry:catalog:*',
      'repository:example-project/app:pull,push registry:catalog:*',
    ],
    ['repository:other/app:pull', ''],
    ['repository:other/app:pull repository:library/b:push,pull', 'repository:example-project/b:push,pull'],
    ['repository(plugin):library/app:pull', 'repository(plugin):example-project/app:pull'],
    ['repository(plugin):other/app:pull', ''],
    [
      '  repository:library/a:pull   repository:library/b:pull ',
      'repository:example-project/a:pull repository:example-project/b:pull',
    ],
    ['', ''],
    ['openid', 'openid'],
    ['repository-list:library/app:pull', 'repository-list:library/app:pull'],
    ['my-repository:library/app:pull', 'my-repository:library/app:pull'],
  ];
  for (const [text, expected] of rows) t.equal(renameScopes(text, rename), expected, JSON.stringify(text));
});

t.test('merging', async (t) => {
  const scope = (type: string, name: string, ...actions: string[]) => ({ type, name, actions });
  t.strictSame(mergeScopes([]), []);
  t.strictSame(
    mergeScopes([
      scope('repository', 'a', 'pull'),
      scope('repository', 'b', 'delete'),
      scope('registry', 'a', '*'),
      scope('repository', 'a', 'push', 'pull'),
      scope('repository', 'b'),
    ]),
    [scope('repository', 'a', 'pull', 'push'), scope('repository', 'b', 'delete'), scope('registry', 'a', '*')],
    'each type and name once, with every action once, in the order in which they came',
  );
});

t.test('property: what is written is read back', async () => {
  const part = fc.stringMatching(/^[a-z0-9()/.-]{1,10}$/);
  const name = fc.stringMatching(/^[a-z0-9:/.]{1,20}$/);
  fc.assert(
    fc.property(part, name, fc.uniqueArray(fc.stringMatching(/^[a-z*]{1,6}$/)), (type, name, actions) => {
      assert.deepEqual(parseScope(formatScope({ type, name, actions })), { type, name, actions });
    }),
  );
});

t.test(
  'property: renaming with the identity keeps every scope, and one that knows nothing keeps no repository',
  async (t) => {
    const scope = fc
      .tuple(
        fc.constantFrom('repository', 'registry', 'repository(plugin)'),
        fc.stringMatching(/^[a-z0-9:/]{1,20}$/),
        fc.constantFrom('pull', 'pull,push', '*'),
      )
      .map((parts) => parts.join(':'));
    fc.assert(
      fc.property(fc.array(scope, { maxLength: 5 }), (scopes) => {
        t.equal(
          renameScopes(scopes.join(' '), (name) => name),
          scopes.join(' '),
        );
        t.equal(
          renameScopes(scopes.join(' '), () => undefined),
          scopes.filter((one) => one.startsWith('registry')).join(' '),
        );
      }),
    );
  },
);
