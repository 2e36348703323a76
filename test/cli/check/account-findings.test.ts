import t from 'tap';
import { accountFindings } from '../../../src/cli/check/account-findings.ts';
import type { AccountView } from '../../../src/failover/view.ts';

const NOW = Date.UTC(2026, 10, 30);
const DAY = 86_400_000;
const account = (more: Partial<AccountView>): AccountView => ({
  ...{ role: 'probe', username: 'robot$probe', refusal: undefined, expires: undefined },
  ...more,
});
const refusal = { since: 0, reason: 'the token service at harbor.lan answers 401', total: true };

t.test('refused accounts, and ones that end', async (t) => {
  const rows: [string, Partial<AccountView>, object[]][] = [
    ['nothing is known', {}, []],
    ['it never ends', { expires: 'never' }, []],
    ['it ends later', { expires: NOW + 30 * DAY }, [{ level: 'ok', message: 'robot$probe is valid until 2026-12-30' }]],
    [
      'it ends within 14 days',
      { role: 'replication', expires: NOW + 9 * DAY },
      [
        {
          level: 'warning',
          subject: 'upstreams.harbor.replication.credentials',
          message: 'robot$probe ends on 2026-12-09',
          remedy: 'give it a later end, or none, before the upstream refuses it',
        },
      ],
    ],
    ['it has ended', { expires: NOW - DAY }, [{ level: 'warning', message: 'robot$probe ended on 2026-11-29' }]],
    [
      'it is refused',
      { refusal, expires: NOW - DAY },
      [
        {
          level: 'error',
          subject: 'upstreams.harbor.probe.credentials',
          message: 'the credentials of robot$probe are refused: the token service at harbor.lan answers 401',
          remedy: 'renew the secret, and write it to passwordFile; give a robot of Harbor an end that is "never"',
        },
      ],
    ],
    ['single requests are denied', { refusal: { ...refusal, total: false } }, []],
    ['those of pulls have a finding of their own', { role: 'own', refusal }, []],
  ];
  for (const [name, more, expected] of rows) t.match(accountFindings('harbor', [account(more)], NOW), expected, name);
  for (const [name, more, expected] of rows)
    t.equal(accountFindings('harbor', [account(more)], NOW).length, expected.length, name);
});
