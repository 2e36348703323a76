import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LAUNCHER } from '../helpers/edge.ts';
import { CLOCK_STEPS } from '../helpers/host-clock.ts';
import { SITE_TOOLS, startSite } from '../helpers/site.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';

/** Where Debian's package libfaketime has it. */
const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((triplet) => `/usr/lib/${triplet}/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));

t.test(
  'the clock of the host is set during an outage',
  { skip: missing(...SITE_TOOLS, 'faketime') || (!LIBRARY && 'no libfaketime') },
  async (t) => {
    for (const [name, step] of Object.entries(CLOCK_STEPS))
      await t.test(name, async (t) => {
        const folder = temporaryFolder(t);
        const [offset, launcher] = [join(folder, 'offset'), join(folder, 'breakwater')];
        const setClock = (ms: number) => writeFileSync(offset, `${ms < 0 ? '' : '+'}${ms / 1000}\n`);
        setClock(0);
        const environment = `LD_PRELOAD='${LIBRARY}' FAKETIME_TIMESTAMP_FILE='${offset}' FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1`;
        writeFileSync(launcher, `#!/bin/sh\nexport ${environment}\nexec '${LAUNCHER}' "$@"\n`, { mode: 0o755 });
        const { harbor, edge } = await startSite(t, {}, undefined, { launcher });
        const status = async () => (await edge.status()).upstreams.find((one) => one.name === 'harbor');
        t.ok(Math.abs(Date.parse((await edge.status()).at) - Date.now()) < timeLimit(60_000));

        await harbor.kill();
        await edge.waitFor(({ upstreams }) => upstreams.some((one) => one.name === 'harbor' && one.state === 'down'));
        setClock(step);
        const shown = await edge.waitFor(({ at }) => Math.abs(Date.parse(at) - Date.now() - step) < timeLimit(60_000));
        t.ok(shown, 'the clock of the edge is set');
        const since = Date.parse((await status())?.pushes?.since ?? '');
        t.ok(Math.abs(since - Date.now() - step) < timeLimit(60_000), 'since when, by the clock as it is');

        await harbor.start();
        const began = performance.now();
        await edge.waitFor(({ upstreams }) => upstreams.some((one) => one.name === 'harbor' && one.pushes?.admitted));
        t.ok(performance.now() - began < timeLimit(15_000), 'pushes are accepted as soon as ever');
        setClock(0);
        await edge.waitFor(({ upstreams }) => upstreams.every((one) => one.state === 'up'));
      });
  },
);
