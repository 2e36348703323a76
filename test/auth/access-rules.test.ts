import t from 'tap';
import { AccessRules } from '../../src/auth/access-rules.ts';
import type { Action } from '../../src/config/access-rule.ts';

t.test('users, groups and everybody', async (t) => {
  const rules = new AccessRules(
    {
      ann: ['team/** pull,push', 'team/app delete'],
      '@ci': ['build/* push'],
      '@none': ['secret/** pull'],
      '*': ['library/** pull'],
      ci: ['of-the-user/** pull'],
    },
    { ci: ['bob', 'cat'], more: ['bob'], none: [] },
  );
  const rows: [string, string, Action, boolean][] = [
    ['ann', 'team/app', 'pull', true],
    ['ann', 'team/app', 'push', true],
    ['ann', 'team/app', 'delete', true],
    ['ann', 'team/other', 'delete', false],
    ['ann', 'library/a', 'pull', true],
    ['ann', 'library/a', 'push', false],
    ['ann', 'build/a', 'push', false],
    ['bob', 'build/a', 'push', true],
    ['bob', 'build/a', 'pull', false],
    ['bob', 'build/a/b', 'push', false],
    ['cat', 'build/a', 'push', true],
    ['bob', 'team/app', 'pull', false],
    ['bob', 'secret/a', 'pull', false],
    ['bob', 'of-the-user/a', 'pull', false],
    ['ci', 'of-the-user/a', 'pull', true],
    ['ci', 'build/a', 'push', false],
    ['nobody', 'library/a', 'pull', true],
    ['constructor', 'team/app', 'pull', false],
    ['__proto__', 'team/app', 'pull', false],
  ];
  for (const [user, repository, action, expected] of rows)
    t.equal(rules.allows(user, repository, action), expected, `${user} ${action} ${repository}`);
});

t.test('without rules nothing is allowed', async (t) => {
  t.equal(new AccessRules({}, {}).allows('ann', 'a', 'pull'), false);
  t.equal(new AccessRules({ ann: [] }, { ci: ['ann'] }).allows('ann', 'a', 'pull'), false);
  t.equal(
    new AccessRules({ ann: ['** pull push'] }, {}).allows('ann', 'a', 'pull'),
    false,
    'a rule that cannot be read',
  );
});
