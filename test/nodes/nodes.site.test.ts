import t from 'tap';
import { SITE_TOOLS } from '../helpers/site.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { runNodes, STATES } from './nodes-run.ts';
import { missingFor, PROGRAMS } from './pullers.ts';

// `npm run clients` has every program, and writes docs/clients.md.
const names = ['docker', 'containerd 1.6', 'containerd 1.6, ctr', 'containerd 2', 'microk8s', 'podman', 'skopeo'];
const absent = names.filter((name) => missingFor(name) !== false);
const OPTIONS = { skip: missing(...SITE_TOOLS), timeout: timeLimit(240_000) };

t.test('real programs pull with the files of breakwater client', OPTIONS, async (t) => {
  for (const name of absent) t.comment(`${name}: ${missingFor(name)}`);
  const rows = await runNodes(
    t,
    names.filter((name) => !absent.includes(name)),
  );
  for (const { program, pulled, said } of rows) {
    for (const state of STATES) {
      const can = state !== 'dead' || PROGRAMS[program]?.withFallback;
      t.equal(pulled[state], can ? true : undefined, `${program}, ${state}`);
    }
    for (const words of said) t.comment(words);
  }
});
