import t from 'tap';
import { MODES } from '../access/modes.ts';
import type { Primary } from '../access/primary.ts';
import { startAccessSite } from '../access/site.ts';
import type { ClientUser } from '../helpers/container-client.ts';
import { SITE_TOOLS } from '../helpers/site.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

// Users come and go on the primary; what the fallback gives them follows, at once or in an outage after `remember`.

const REMEMBER_MS = 12_000;
const NAMES = ['delegate to Harbor', 'delegate to a registry with Basic', 'delegate to GitLab'];

async function start(owner: Owner, name: string) {
  const mode = MODES.find((one) => one.name === name);
  if (!mode) throw new Error(`no mode is called ${name}`);
  const site = await startAccessSite(owner, async (given): Promise<Primary> => {
    const primary = await mode.start(given);
    return { ...primary, auth: { ...primary.auth, remember: `${REMEMBER_MS}ms` } };
  });
  const [edge] = site.edges;
  const skopeo = new Skopeo(owner, site.certificate.authorityFolder);
  const pull = async (who: ClientUser, repository: 'open' | 'closed') => {
    skopeo.as(edge.address, who);
    return skopeo.tryPull(`${edge.address}/library/${repository}:v1`);
  };
  return { site, pull };
}

// Most of the time is waited.
t.jobs = NAMES.length;
for (const name of NAMES) {
  t.test(name, { skip: missing(...SITE_TOOLS), buffered: true }, async (t) => {
    const { site, pull } = await start(t, name);
    const { users, remove } = site.primary;
    const { alice, bob } = users;
    const mallory = { name: 'mallory', password: 'guessed' };
    const pulls = async (who: ClientUser, what: string) => t.equal((await pull(who, 'open')).status, 0, what);
    const fails = async (who: ClientUser, what: string, repository: 'open' | 'closed' = 'open') => {
      const { status, output } = await pull(who, repository);
      t.not(status, 0, what);
      return output;
    };
    await pulls(alice, 'alice pulls');
    await pulls(bob, 'bob pulls');
    await remove(bob.name);
    t.match(await fails(bob, 'who was removed is refused at once'), /unauthorized/);
    t.match(await fails(mallory, 'who is unknown is refused'), /unauthorized/);

    await pulls(alice, 'alice is there');
    const last = performance.now();
    await site.primary.fail('down');
    if (site.primary.whole) await site.see('down');
    await remove(alice.name);
    await pulls(alice, 'that she was removed in the outage cannot be known');
    const before = site.fallback.requests().length;
    t.match(await fails(mallory, 'who is unknown gets nothing from the fallback'), /503/);
    t.match(await fails(bob, 'nor does who was removed before'), /503/);
    t.match(await fails(alice, 'nor does anybody what they never were let pull', 'closed'), /503/);
    const asked = site.fallback.requests().slice(before);
    t.notOk(
      asked.some((line) => /open|closed/.test(line)),
      'which was asked nothing for them',
    );
    await until(async () => (await pull(alice, 'open')).status !== 0, { timeout: 2 * REMEMBER_MS, every: 500 });
    const after = performance.now() - last;
    t.ok(after < REMEMBER_MS + timeLimit(5000), `forgotten after ${Math.round(after)} ms`);
    t.ok(after > REMEMBER_MS - 1000, 'and not before');
    t.match(await fails(alice, 'and it stays so'), /503/);

    await site.primary.mend();
    await site.see('up');
    t.match(await fails(alice, 'the primary is back: she is refused'), /unauthorized/);
  });
}
