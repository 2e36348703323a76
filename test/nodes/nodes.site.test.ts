import t from 'tap';
import { SITE_TOOLS } from '../helpers/site.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { runNodes, STATES } from './nodes-run.ts';
import { missingFor, PROGRAMS } from './pullers.ts';

// `npm run clients` has every program, and writes docs/clients.md. containerd 2 takes minutes to build, so it may be absent here.
const usual = ['docker', 'containerd 1.6', 'containerd 1.6, ctr', 'microk8s', 'podman', 'skopeo'];
const names = missingFor('containerd 2') === false ? [...usual, 'containerd 2'] : usual;
const lacking = usual.map(missingFor).find((reason) => reason !== false) ?? false;
const OPTIONS = { skip: missing(...SITE_TOOLS) || lacking, timeout: timeLimit(240_000) };

t.test('real programs pull with the files of breakwater client', OPTIONS, async (t) => {
  const rows = await runNodes(t, names);
  for (const { program, pulled, said } of rows) {
    for (const state of STATES) {
      const can = state !== 'dead' || PROGRAMS[program]?.withFallback;
      t.equal(pulled[state], can ? true : undefined, `${program}, ${state}`);
    }
    for (const words of said) t.comment(words);
  }
});
