import { parseArgs } from 'node:util';
import { Cleanup } from '../helpers/cleanup.ts';
import { findTool } from '../helpers/tool.ts';
import { CLIENTS } from './client.ts';
import { expectedCell } from './expected.ts';
import { MODES } from './modes.ts';
import { record } from './record.ts';
import { type Row, runMode } from './table-run.ts';

const USAGE = `Runs real clients through every mode of \`auth\` and every outage, and compares each cell with what it should be.

  npm run access-table                                        all of it, in about 15 minutes
  npm run access-table -- --record                            and writes docs/authentication.md and test/access/recorded.json
  npm run access-table -- --mode GitLab --client skopeo       a part: modes by a word of their name, clients by name
  npm run access-table -- --verbose                           and what each client said
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      record: { type: 'boolean', default: false },
      mode: { type: 'string', default: '' },
      client: { type: 'string', multiple: true, default: Object.keys(CLIENTS) },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const modes = MODES.filter(({ name }) => name.includes(values.mode));
  const whole = modes.length === MODES.length && values.client.length === Object.keys(CLIENTS).length;
  if (modes.length === 0 || values.client.some((name) => !(name in CLIENTS)) || (values.record && !whole)) {
    process.stderr.write(`${USAGE}\nOnly a whole run is recorded.\n`);
    process.exitCode = 2;
    return;
  }
  const absent = values.client.flatMap((name) => CLIENTS[name]?.tools ?? []).filter((name) => !findTool(name));
  if (absent.length > 0) throw new Error(`not installed: ${absent.join(', ')}; bin/real-parts installs them`);
  const rows: Row[] = [];
  let wrong = 0;
  for (const mode of modes) {
    const cleanup = new Cleanup();
    const onRow = (row: Row) => {
      rows.push(row);
      if (!tell(row, JSON.stringify(expectedCell(mode, row.state, row.client)), values.verbose)) wrong += 1;
    };
    await runMode(cleanup, mode, { clients: values.client, onRow }).finally(() => cleanup.run());
  }
  process.stdout.write(`${rows.length - wrong} cells as they should be, ${wrong} not\n`);
  if (wrong > 0) process.exitCode = 1;
  else if (values.record) record.write(rows);
}

/** @returns whether the cell is what it should be */
function tell({ mode, client, state, cell, said }: Row, expected: string, verbose: boolean): boolean {
  const is = JSON.stringify(cell);
  const right = is === expected;
  process.stdout.write(`${right ? 'ok    ' : 'NOT OK'} ${mode}, ${client}, ${state}: ${is}\n`);
  if (!right) process.stdout.write(`       expected ${expected}\n`);
  if (right && !verbose) return true;
  for (const [what, words] of Object.entries(said))
    process.stdout.write(`       ${what}: ${words.slice(0, 1000).replaceAll('\n', '\n         ')}\n`);
  return right;
}

await main();
