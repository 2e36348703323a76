import t from 'tap';
import type { KnownRights, RememberedRights } from '../../../src/auth/known-rights.ts';
import { userOutlook } from '../../../src/proxy/endpoints/user-outlook.ts';

const told = (rights: KnownRights | undefined, over: { decider?: string; anonymous?: boolean } = {}) => {
  const { decider, anonymous = false } = over;
  const { known, unknown } = userOutlook({ user: 'ann', repository: 'library/app', rights, decider, anonymous });
  return { known, unknown };
};
const authority = (over: Partial<RememberedRights> = {}): RememberedRights => ({
  by: 'authority',
  authority: 'harbor',
  isReachable: true,
  isKnownThere: true,
  keepMs: 86_400_000,
  remembered: undefined,
  openMs: 0,
  ...over,
});
const HOUR = 3_600_000;
const NOW = 'what harbor would say to ann now: that takes the password';

t.test('without users', async (t) => {
  t.strictSame(told(undefined), {
    known: ['auth.mode is open, and no upstream of the route asks for a login: ann gets what every client gets'],
    unknown: [],
  });
  t.strictSame(told(undefined, { decider: 'harbor' }), {
    known: ['auth.mode is open: the edge knows no users'],
    unknown: ['what ann may do in library/app: harbor decides by the login that the client sends'],
  });
});

t.test('by rules', async (t) => {
  t.strictSame(told({ by: 'rules', exists: true, actions: ['pull', 'push'] }, { anonymous: true }), {
    known: [
      'ann may pull, push in library/app, by auth.access',
      'clients in auth.anonymous may pull library/app without a login',
    ],
    unknown: [],
  });
  t.strictSame(told({ by: 'rules', exists: true, actions: [] }).known, [
    'ann has no right in library/app, by auth.access',
  ]);
  t.match(told({ by: 'rules', exists: false, actions: ['pull'] }).known, [
    /^there is no user ann in auth.htpasswdFile/,
  ]);
});

t.test('in an emergency', async (t) => {
  const user = { by: 'break-glass', exists: true, mayPull: true, authority: 'harbor', isReachable: false } as const;
  t.strictSame(told(user).known, [
    'ann may pull library/app, while harbor cannot be reached',
    'harbor cannot be reached now',
  ]);
  t.match(told({ ...user, mayPull: false, isReachable: true }).known, [
    /^ann has no right to pull/,
    'harbor can be reached now',
  ]);
  t.match(told({ ...user, exists: false }).known, [/no user ann in auth.breakGlassFile/]);
});

t.test('by the primary', async (t) => {
  t.match(told(authority()), {
    known: ['harbor decides at each login and each request'],
    unknown: [NOW, /^no login of ann was seen by this edge since its start/],
  });
  const remembered = { passwordMs: 20 * HOUR, pullMs: HOUR };
  t.strictSame(told(authority({ remembered, openMs: 5 * HOUR })), {
    known: [
      'harbor decides at each login and each request',
      'harbor has opened library/app to every client; in an outage that counts for 5 h more',
      'harbor let ann pull library/app; in an outage that counts for 60 min more, with the same password',
    ],
    unknown: [NOW],
  });
  t.strictSame(told(authority({ isReachable: false, remembered: { ...remembered, pullMs: 0 } })), {
    known: [
      'harbor cannot be reached now, so what is remembered decides, and pushes are refused',
      'ann has logged in, but harbor did not let ann pull library/app lately: in an outage it is refused',
    ],
    unknown: [],
  });
  t.match(told(authority({ remembered: { passwordMs: 0, pullMs: 0 } })).known, [
    /./,
    /^the last login of ann was refused/,
  ]);
  t.match(told(authority({ keepMs: 0 })), { known: [/./, /^auth.remember is 0s/], unknown: [NOW] });
  t.match(told(authority({ isKnownThere: false })).known, [
    /^harbor, which decides about users, is not part of the route/,
  ]);
});
