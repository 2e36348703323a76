import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CredentialSources } from '../../../src/upstream/credentials/credential-sources.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { environmentWith, helperFolder, printing } from '../../helpers/credential-helper.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

const ORIGIN = {
  urls: ['https://cr.test'],
  password: undefined,
  folder: undefined,
  resolver: new Resolver(),
  probeMs: 50,
};

t.test('a helper whose upstream went while it waited for its turn does not run, and the next one does', async (t) => {
  const folder = helperFolder(t, {
    first: 'touch "$0.began"; sleep 300',
    gone: 'touch "$0.began"; sleep 300',
    good: printing('robot', 'secret'),
  });
  const sources = new CredentialSources({ environment: environmentWith(folder) });
  const hold = (helper: string) => {
    const held = sources.hold({ helper, renewEvery: 600_000, realmHosts: [] }, ORIGIN);
    if (!held) throw new Error('it has credentials of its own');
    t.teardown(() => held.release());
    return held;
  };
  const hasBegun = (helper: string) => existsSync(join(folder, `docker-credential-${helper}.began`));
  const [first, gone] = [hold('first'), hold('gone')];
  await until(() => hasBegun('first'), { every: 5, what: () => 'the first helper to run' });
  gone.release();
  const began = performance.now();
  first.release();
  const good = hold('good');
  await good.user.ready;
  t.strictSame(good.user.login(), { username: 'robot', password: 'secret' });
  t.notOk(hasBegun('gone'));
  t.ok(performance.now() - began < timeLimit(5_000), 'it waits for no limit of another run');
});

t.test('connections with the same helper and server share its runs, and another server is another run', async (t) => {
  const folder = helperFolder(t, { good: `echo run >> "$0.runs"; ${printing('robot', 'secret')}` });
  const sources = new CredentialSources({ environment: environmentWith(folder) });
  const held = ['a', 'a', 'b'].map((server) =>
    sources.hold({ helper: 'good', server, renewEvery: 600_000, realmHosts: [] }, ORIGIN),
  );
  await Promise.all(held.map((one) => one?.user.ready));
  t.equal(held[0]?.user, held[1]?.user);
  t.not(held[0]?.user, held[2]?.user);
  held[0]?.release();
  t.equal(held[1]?.user.login().password, 'secret', 'the one that is left keeps it');
  for (const one of held) one?.release();
});
