import t from 'tap';
import {
  type AuthorityCanary,
  type DenialStreak,
  type DenialVerdict,
  delaysRefusals,
  isUnchecked,
  judgeDenial,
  nextStreak,
} from '../../src/failover/authority-evidence.ts';

const WELL: AuthorityCanary = { state: 'well', tookMs: 20 };
const FAILING: AuthorityCanary = { state: 'failing' };
const SILENT: AuthorityCanary = { state: 'silent' };
const NONE: AuthorityCanary = { state: 'none' };
const ONCE: DenialStreak = { count: 1, since: 0, last: 0 };
const LASTING: DenialStreak = { count: 3, since: 0, last: 60_000 };

t.test('what a denial proves', async (t) => {
  const rows: [
    string,
    tookMs: number | undefined,
    canary: AuthorityCanary,
    unhealthy: string[],
    streak: DenialStreak,
    DenialVerdict,
  ][] = [
    ['a well authority', undefined, WELL, [], ONCE, 'proven'],
    ['a well authority of which a part is sick', undefined, WELL, ['trivy'], ONCE, 'proven'],
    ['a well Harbor that has checked it', 1520, WELL, [], ONCE, 'proven'],
    ['a well Harbor that locks the name', 15, WELL, [], ONCE, 'unproven'],
    ['a slow Harbor that locks the name', 1600, { state: 'well', tookMs: 1500 }, [], ONCE, 'unproven'],
    ['a slow Harbor that has checked it', 3100, { state: 'well', tookMs: 1500 }, [], ONCE, 'proven'],
    ['a Harbor that goes on refusing at once', 15, WELL, [], LASTING, 'proven'],
    ['the canary is refused, too', undefined, FAILING, [], ONCE, 'sick'],
    ['the canary is refused for long', 1520, FAILING, [], LASTING, 'sick'],
    ['the canary is not answered', 1520, SILENT, [], LASTING, 'unproven'],
    ['the canary is not answered, and the database is named', undefined, SILENT, ['database'], ONCE, 'sick'],
    ['the database is named', 1520, WELL, ['database'], LASTING, 'sick'],
    ['no canary', undefined, NONE, [], ONCE, 'unproven'],
    ['no canary, and a check', 1520, NONE, [], ONCE, 'unproven'],
    ['no canary, three times', 1520, NONE, [], LASTING, 'proven'],
    ['no canary, three times at once', undefined, NONE, [], { count: 3, since: 0, last: 59_999 }, 'unproven'],
    ['no canary, twice', undefined, NONE, [], { count: 2, since: 0, last: 60_000 }, 'unproven'],
    ['no canary, and a part is sick', undefined, NONE, ['redis'], LASTING, 'unproven'],
  ];
  for (const [name, tookMs, canary, unhealthy, streak, verdict] of rows)
    t.equal(judgeDenial(tookMs, { canary, unhealthy, delaysRefusals: false }, streak), verdict, name);
});

t.test('an authority that checks each password before it refuses it', async (t) => {
  const rows: [string, tookMs: number | undefined, canary: AuthorityCanary, streak: DenialStreak, DenialVerdict][] = [
    ['refuses at once, for long: a lock that is renewed, or LDAP that is down', 15, WELL, LASTING, 'unproven'],
    ['has checked it', 1520, WELL, ONCE, 'proven'],
    ['takes a repository back', undefined, WELL, ONCE, 'proven'],
    ['refuses at once, and there is no canary', 15, NONE, LASTING, 'proven'],
  ];
  for (const [name, tookMs, canary, streak, verdict] of rows)
    t.equal(judgeDenial(tookMs, { canary, unhealthy: [], delaysRefusals: true }, streak), verdict, name);
});

t.test('modes of Harbor in which a refusal takes its time', async (t) => {
  for (const mode of ['db_auth', 'ldap_auth', 'uaa_auth', 'http_auth']) t.equal(delaysRefusals(mode), true, mode);
  for (const mode of ['oidc_auth', 'new_auth', undefined]) t.equal(delaysRefusals(mode), false, `${mode}`);
});

t.test('a refusal that comes before the password can have been checked', async (t) => {
  t.equal(isUnchecked(undefined), false, 'an authority that does not delay refusals');
  t.equal(isUnchecked(1299), true);
  t.equal(isUnchecked(1300), false);
  t.equal(isUnchecked(1500, 300), true);
});

t.test('denials one after the other', async (t) => {
  const first = nextStreak(undefined, 1000);
  t.strictSame(first, { count: 1, since: 1000, last: 1000 });
  const second = nextStreak(first, 31_000);
  t.strictSame(second, { count: 2, since: 1000, last: 31_000 });
  t.strictSame(nextStreak(second, 631_000), { count: 3, since: 1000, last: 631_000 });
  t.strictSame(nextStreak(second, 631_001), { count: 1, since: 631_001, last: 631_001 }, 'far apart');
});
