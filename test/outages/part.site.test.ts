import t from 'tap';
import { SITE_TOOLS } from '../helpers/site.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { CLIENTS } from './clients.ts';
import { type Row, runOutages } from './outages-run.ts';
import { page, withoutTimes } from './page.ts';
import { STATES } from './states.ts';

// `npm run outages` compares all of it.
const clients = ['podman', 'skopeo', 'ctr', 'crane'];
const OPTIONS = {
  skip: missing(...SITE_TOOLS, ...clients.flatMap((name) => CLIENTS[name]?.tools ?? [])),
  timeout: timeLimit(180_000),
};

t.test('docs/outages.md tells what clients meet while the primary is dead', OPTIONS, async (t) => {
  const rows: Row[] = [];
  const states = STATES.filter(({ key }) => key === 'killed');
  await runOutages(t, { clients, states, onRow: (row) => rows.push(row) });
  t.equal(rows.length, clients.length);
  const shown = withoutTimes(page.read()).split('\n');
  for (const line of withoutTimes(page.of(rows)).split('\n')) t.ok(shown.includes(line), line);
});
