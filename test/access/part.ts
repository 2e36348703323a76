import type t from 'tap';
import { SITE_TOOLS } from '../helpers/site.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { CLIENTS } from './client.ts';
import { expectedCell } from './expected.ts';
import { MODES } from './modes.ts';
import { type Row, runMode, STATES } from './table-run.ts';
import { SECRETS } from './users.ts';

/** The part of `npm run access-table` that is among the tests, in every state: every client at least once. Other authorities than Harbor's are left to the command. */
export const PART: Record<string, readonly string[]> = {
  'open, before Harbor': ['ctr'],
  htpasswd: ['crane', 'podman'],
  'delegate to Harbor': ['docker', 'skopeo'],
};

type Test = Pick<typeof t, 'test'>;

/** Runs one mode's part as a subtest, beside others: most of the time it is waited for probes to see an outage. */
export function testPart(t: Test, name: string): void {
  const mode = MODES.find((one) => one.name === name);
  const clients = PART[name];
  if (!mode || !clients) throw new Error(`no part is called ${name}`);
  const tools = clients.flatMap((client) => CLIENTS[client]?.tools ?? []);
  t.test(name, { skip: missing(...SITE_TOOLS, ...tools), buffered: true, timeout: timeLimit(115_000) }, async (t) => {
    const rows: Row[] = [];
    const log = await runMode(t, mode, { clients, onRow: (row) => void rows.push(row) });
    for (const { client, state, cell, said } of rows)
      t.strictSame(cell, expectedCell(mode, state, client), `${client}, ${state}`, { said });
    t.equal(rows.length, clients.length * STATES.length, 'nothing is left out');
    t.strictSame(
      SECRETS.filter((secret) => log.includes(secret)),
      [],
      'no secret is in the log',
    );
  });
}
