import { parseArgs } from 'node:util';
import { Cleanup } from '../helpers/cleanup.ts';
import { findTool } from '../helpers/tool.ts';
import { CLIENTS } from './clients.ts';
import { OPERATIONS, type Row, runOutages } from './outages-run.ts';
import { page, withoutTimes } from './page.ts';
import { STATES } from './states.ts';

const USAGE = `Runs real clients through every outage, with real registries behind a real edge, and compares what their users meet with
docs/outages.md. It fails if anything but a time is another one.

  npm run outages                                  all of it
  npm run outages -- --record                      and writes docs/outages.md
  npm run outages -- --client skopeo --state hung  a part, which is only printed
  npm run outages -- --verbose                     and all that each client said
`;

async function main(): Promise<void> {
  const names = Object.keys(CLIENTS);
  const { values } = parseArgs({
    options: {
      record: { type: 'boolean', default: false },
      client: { type: 'string', multiple: true, default: names },
      state: { type: 'string', multiple: true, default: STATES.map(({ key }) => key) },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const states = STATES.filter(({ key }) => values.state.includes(key));
  const whole = states.length === STATES.length && values.client.length === names.length;
  const unknown = values.client.some((name) => !(name in CLIENTS)) || states.length < values.state.length;
  if (unknown || (values.record && !whole)) {
    process.stderr.write(`${USAGE}\nOnly a whole run is recorded.\n`);
    process.exitCode = 2;
    return;
  }
  const absent = values.client.flatMap((name) => CLIENTS[name]?.tools ?? []).filter((name) => !findTool(name));
  if (absent.length > 0) throw new Error(`not installed: ${absent.join(', ')}; bin/real-parts outages installs them`);
  const rows: Row[] = [];
  const cleanup = new Cleanup();
  const onRow = (row: Row) => {
    rows.push(row);
    tell(row, values.verbose);
  };
  await runOutages(cleanup, { clients: values.client, states, onRow }).finally(() => cleanup.run());
  if (values.record) page.write(rows);
  else if (whole) compare(rows);
}

function tell({ state, client, met, said }: Row, verbose: boolean): void {
  for (const operation of OPERATIONS) {
    const one = met[operation];
    if (!one) continue;
    const how = one.ok ? 'ok' : one.told ? 'told' : 'NOT TOLD';
    process.stdout.write(`${state}, ${client}, ${operation}: ${Math.round(one.took)} ms ${how} ${one.words}\n`);
    if (verbose) process.stdout.write(`    ${said[operation]?.trim().replaceAll('\n', '\n    ')}\n`);
  }
}

function compare(rows: readonly Row[]): void {
  const [shown, now] = [page.read(), page.of(rows)].map((text) => withoutTimes(text).split('\n')) as [
    string[],
    string[],
  ];
  const gone = shown.filter((line) => !now.includes(line));
  const come = now.filter((line) => !shown.includes(line));
  if (shown.join('\n') === now.join('\n'))
    return void process.stdout.write('docs/outages.md tells what clients meet\n');
  for (const line of gone) process.stdout.write(`- ${line}\n`);
  for (const line of come) process.stdout.write(`+ ${line}\n`);
  process.stdout.write('docs/outages.md tells something else; npm run outages -- --record writes it\n');
  process.exitCode = 1;
}

await main();
