import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runHelper } from '../../../src/upstream/credentials/helper-program.ts';
import { environmentWith, helperFolder, printing } from '../../helpers/credential-helper.ts';
import { withoutDescriptors } from '../../helpers/no-descriptors.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

const SECRET = 'hunter2-secret';
const SERVER = '123.dkr.ecr.eu-west-1.amazonaws.com';
const NEVER = new AbortController().signal;
const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (exp: number) => `${segment({ alg: 'none' })}.${segment({ exp })}.x`;

function run(folder: string, helper: string, runMs = timeLimit(5_000), signal = NEVER) {
  return runHelper({ helper, server: SERVER, runMs, environment: environmentWith(folder) }, signal);
}

t.test('a good helper is asked by the protocol, with two variables and no others', async (t) => {
  const folder = helperFolder(t, {
    good: `server=$(cat)
test "$1" = get || exit 3
test "$server" = ${SERVER} || exit 4
test -z "$AWS_SECRET_ACCESS_KEY" || exit 5
test "$(env | grep -c -v -E '^(PATH|HOME|PWD|SHLVL|_|OLDPWD)=')" = 0 || exit 6
echo '{"ServerURL":"x","Username":"AWS","Secret":"${SECRET}"}'`,
    silent: printing('AWS', SECRET).replace('cat >/dev/null; ', ''),
    jwt: printing('x', jwt(Math.floor(Date.now() / 1000) + 600)),
    token: printing('<token>', 'refresh'),
  });
  t.match(await run(folder, 'good'), { username: 'AWS', password: SECRET, endsInMs: undefined });
  t.match(await run(folder, 'silent'), { username: 'AWS' }, 'one that does not read is as good');
  const { endsInMs = 0 } = await run(folder, 'jwt');
  t.ok(endsInMs > 590_000 && endsInMs <= 600_000, 'the end of a JWT is known');
  t.match(await run(folder, 'token'), { username: '<token>', password: 'refresh' });
});

t.test('bad helpers are errors that say what to do, without what they printed', async (t) => {
  const folder = helperFolder(t, {
    garbage: `echo 'no JSON ${SECRET}'`,
    list: `echo '["${SECRET}"]'`,
    empty: 'true',
    nameless: printing('', SECRET),
    secretless: `echo '{"Username":"x","Secret":""}'`,
    colon: printing('a:b', SECRET),
    'odd-token': printing('<token>', `two ${SECRET}`),
    loud: `head -c 70000 /dev/zero | tr '\\0' x; echo ${SECRET}`,
    failing: `echo ${SECRET}; exit 7`,
    absent: `echo 'credentials not found in native keychain'; exit 1`,
    killed: 'kill -9 $$',
  });
  const rows: [helper: string, expected: RegExp][] = [
    ['garbage', /docker-credential-garbage printed no JSON with a Username and a Secret/],
    ['list', /printed no JSON with a Username and a Secret/],
    ['empty', /printed no JSON/],
    ['nameless', /printed no JSON with a Username/],
    ['secretless', /printed no JSON with a Username/],
    ['colon', /printed no JSON with a Username/],
    ['odd-token', /printed no JSON with a Username/],
    ['loud', /docker-credential-loud printed more than 65536 bytes/],
    ['failing', /docker-credential-failing ended with 7 for 123\.dkr\.ecr/],
    ['absent', /ended with 1 for \S+: credentials not found in native keychain/],
    ['killed', /ended with SIGKILL/],
    ['missing', /docker-credential-missing is not in a folder of PATH; install it there/],
  ];
  for (const [helper, expected] of rows) {
    const error = await run(folder, helper).then(
      () => new Error('it is good'),
      (one: Error) => one,
    );
    t.match(error.message, expected, helper);
    t.match(error.message, /try: echo 123\.dkr\.ecr\S+ \| docker-credential-\S+ get/, `${helper}: what to do`);
    t.notMatch(error.message, SECRET, `${helper}: no secret`);
  }
});

t.test('a helper that may not be run', async (t) => {
  const folder = helperFolder(t, { locked: 'true' });
  chmodSync(join(folder, 'docker-credential-locked'), 0o600);
  await t.rejects(run(folder, 'locked'), { message: /may not be run; make it executable/ });
});

t.test('a helper that hangs is ended, with all that it has started', async (t) => {
  const folder = helperFolder(t, { hung: 'sleep 300 & echo $! > "$(dirname "$0")/child"; wait' });
  const began = performance.now();
  await t.rejects(run(folder, 'hung', timeLimit(500)), { message: /docker-credential-hung did not end within/ });
  t.ok(performance.now() - began < timeLimit(5_000));
  const child = readFileSync(join(folder, 'child'), 'utf8').trim();
  const isGone = () =>
    !existsSync(`/proc/${child}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${child}/status`, 'utf8'));
  await until(isGone, { what: () => `process ${child} to end` });
});

t.test('a run is ended with the edge', async (t) => {
  const folder = helperFolder(t, { hung: 'sleep 300' });
  const stop = new AbortController();
  const running = run(folder, 'hung', timeLimit(60_000), stop.signal);
  stop.abort();
  await t.rejects(running, { message: /was stopped/ });
});

t.test('without a free descriptor it is an error that says so, and nothing escapes', async (t) => {
  const said = await withoutDescriptors(
    { runHelper: import.meta.resolve('../../../src/upstream/credentials/helper-program.ts') },
    `runHelper({ helper: 'any', server: 'x', runMs: 50 }, new AbortController().signal)`,
  );
  t.match(said, /docker-credential-any cannot be started, because no descriptors are left; raise LimitNOFILE/);
});

t.test('a run that was stopped before its turn does not begin', async (t) => {
  const folder = helperFolder(t, { hung: 'touch "$0.began"; sleep 300' });
  await t.rejects(run(folder, 'hung', timeLimit(60_000), AbortSignal.abort()), { message: /was stopped/ });
  t.notOk(existsSync(join(folder, 'docker-credential-hung.began')));
});
