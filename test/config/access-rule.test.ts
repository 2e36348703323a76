import t from 'tap';
import { parseAccessRule } from '../../src/config/access-rule.ts';

t.test('rules', async (t) => {
  const rows: [string, unknown][] = [
    ['** pull', { pattern: '**', actions: ['pull'] }],
    ['library/** pull,push', { pattern: 'library/**', actions: ['pull', 'push'] }],
    ['  library/app\tdelete,pull  ', { pattern: 'library/app', actions: ['delete', 'pull'] }],
    ['team-*/*/app_* push', { pattern: 'team-*/*/app_*', actions: ['push'] }],
    ['docker.io/library/** pull', { pattern: 'docker.io/library/**', actions: ['pull'] }],
  ];
  for (const [text, expected] of rows) t.strictSame(parseAccessRule(text), expected, text);
});

t.test('what cannot be read is no rule, not a narrower or a wider one', async (t) => {
  const texts = [
    '',
    '**',
    'pull',
    '** ',
    '** *',
    '** pull push',
    '** pull, push',
    '** pull,',
    '** ,pull',
    '** PULL',
    '** pull,write',
    '** constructor',
    'Library/** pull',
    '/** pull',
    'library/ pull',
    'library//app pull',
    'library/app: pull',
    'library/(a|b) pull',
    'library/[ab] pull',
    'library/a? pull',
  ];
  for (const text of texts) t.equal(parseAccessRule(text), undefined, JSON.stringify(text));
});
