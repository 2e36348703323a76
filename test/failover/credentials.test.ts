import fc from 'fast-check';
import t from 'tap';
import {
  type CredentialsEvent,
  type CredentialsState,
  currentRefusal,
  nextCredentials,
} from '../../src/failover/credentials.ts';

const accepted: CredentialsEvent = { kind: 'accepted' };
const refused: CredentialsEvent = { kind: 'refused', detail: 'the token service answers 401' };
const denied: CredentialsEvent = { kind: 'denied', detail: 'it answers 403' };

function after(...news: [at: number, news: CredentialsEvent][]): CredentialsState | undefined {
  return news.reduce<CredentialsState | undefined>((state, [at, one]) => nextCredentials(state, one, at), undefined);
}

t.test('the state of credentials after each event', async (t) => {
  const rows: [string, [number, CredentialsEvent][], at: number, object | undefined][] = [
    ['nothing', [], 0, undefined],
    ['a good check', [[0, accepted]], 0, undefined],
    ['a bad one, for good', [[0, refused]], 1e9, { since: 0, total: true, reason: 'the token service answers 401' }],
    [
      'until one is good',
      [
        [0, refused],
        [5, accepted],
      ],
      5,
      undefined,
    ],
    [
      'since the first',
      [
        [3, refused],
        [5, refused],
      ],
      5,
      { since: 3 },
    ],
    ['a denial', [[0, denied]], 59_999, { since: 0, total: false, reason: 'it answers 403' }],
    ['for a minute', [[0, denied]], 60_000, undefined],
    [
      'after the last',
      [
        [0, denied],
        [50_000, denied],
      ],
      100_000,
      { since: 0 },
    ],
    [
      'of which a check knows nothing',
      [
        [0, denied],
        [1, accepted],
      ],
      2,
      { since: 0, total: false },
    ],
    [
      'but it may know better',
      [
        [0, denied],
        [1, refused],
        [2, denied],
        [3, accepted],
      ],
      3,
      undefined,
    ],
    [
      'a denial is no word against a check',
      [
        [0, refused],
        [1, denied],
      ],
      1,
      { total: true, reason: 'the token service answers 401' },
    ],
    [
      'what is over begins anew',
      [
        [0, denied],
        [70_000, denied],
      ],
      70_000,
      { since: 70_000 },
    ],
  ];
  for (const [name, news, at, expected] of rows) {
    const refusal = currentRefusal(after(...news), at);
    if (expected === undefined) t.equal(refusal, undefined, name);
    else t.match(refusal, expected, name);
  }
});

t.test('property: a good check ends all that checks found; whole is only what a check found last', async (t) => {
  const news = fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.constantFrom(accepted, refused, denied));
  fc.assert(
    fc.property(fc.array(news, { maxLength: 12 }), (list) => {
      const sorted = list.toSorted(([one], [other]) => one - other);
      const state = after(...sorted);
      const at = sorted.at(-1)?.[0] ?? 0;
      const checks = sorted.filter(([, { kind }]) => kind !== 'denied');
      const whole = checks.at(-1)?.[1].kind === 'refused';
      t.equal(currentRefusal(state, at)?.total === true, whole);
      t.equal(currentRefusal(nextCredentials(state, accepted, at), at)?.total === true, false);
    }),
  );
});

t.test('where one refusal may be a lock of the moment, a second one decides', async (t) => {
  const state = (...news: [at: number, news: CredentialsEvent][]) =>
    news.reduce<CredentialsState | undefined>((before, [at, one]) => nextCredentials(before, one, at, 2000), undefined);
  const rows: [string, [number, CredentialsEvent][], object | undefined][] = [
    ['one', [[0, refused]], undefined],
    [
      'another one too soon',
      [
        [0, refused],
        [900, refused],
      ],
      undefined,
    ],
    [
      'another one later',
      [
        [0, refused],
        [2100, refused],
      ],
      { total: true, since: 2100 },
    ],
    [
      'a good one between',
      [
        [0, refused],
        [900, accepted],
        [2100, refused],
      ],
      undefined,
    ],
    [
      'after requests were denied',
      [
        [0, denied],
        [10, refused],
      ],
      { total: false, since: 0 },
    ],
    [
      'and again',
      [
        [0, denied],
        [10, refused],
        [2100, refused],
      ],
      { total: true, since: 0 },
    ],
    [
      'a denial after the first',
      [
        [0, refused],
        [10, denied],
      ],
      { total: false, since: 10 },
    ],
    [
      'and it stays so',
      [
        [0, refused],
        [2100, refused],
        [2200, denied],
        [2300, refused],
      ],
      { total: true, since: 2100 },
    ],
  ];
  for (const [name, news, expected] of rows) {
    const found = currentRefusal(state(...news), news.at(-1)?.[0] ?? 0);
    if (expected === undefined) t.equal(found, undefined, name);
    else t.match(found, expected, name);
  }
});
