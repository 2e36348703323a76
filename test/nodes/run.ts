import { parseArgs } from 'node:util';
import { KINDS } from '../../src/clients/kinds.ts';
import { Cleanup } from '../helpers/cleanup.ts';
import { lintGenerated, runNodes } from './nodes-run.ts';
import { page } from './page.ts';
import { missingFor, PROGRAMS } from './pullers.ts';

const USAGE = `Starts real programs with the files of \`breakwater client\` and lets them pull through a real edge: healthy, with the primary
frozen, and with no edge but the fallback as second host. It fails if docs/clients.md tells something else.

  npm run clients                        all programs that are there
  npm run clients -- --record            and writes docs/clients.md
  npm run clients -- --program podman    one, which is only printed
`;

async function main(): Promise<void> {
  const names = Object.keys(PROGRAMS);
  const { values } = parseArgs({
    options: {
      record: { type: 'boolean', default: false },
      program: { type: 'string', multiple: true, default: names },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const whole = values.program.length === names.length;
  if (values.program.some((name) => !names.includes(name)) || (values.record && !whole)) {
    process.stderr.write(`${USAGE}\nPrograms: ${names.join(', ')}. Only a whole run is recorded.\n`);
    process.exitCode = 2;
    return;
  }
  const absent = values.program.filter((name) => missingFor(name) !== false);
  for (const name of absent) process.stdout.write(`${name}: not run, ${missingFor(name)}\n`);
  const cleanup = new Cleanup();
  const rows = await runNodes(
    cleanup,
    values.program.filter((name) => !absent.includes(name)),
  ).finally(() => cleanup.run());
  for (const { program, version, pulled, said } of rows) {
    process.stdout.write(`${program} ${version}: ${JSON.stringify(pulled)}\n`);
    for (const words of said) process.stdout.write(`  ${words.replaceAll('\n', '\n  ')}\n`);
  }
  const linted: Record<string, string[]> = {};
  if (whole) for (const kind of Object.keys(KINDS)) linted[kind] = await lintGenerated(cleanup, kind);
  await cleanup.run();
  if (values.record) page.write(rows, linted);
  else if (whole && page.of(rows, linted) !== page.read()) {
    process.stdout.write(
      `${page.of(rows, linted)}\ndocs/clients.md tells something else; npm run clients -- --record writes it\n`,
    );
    process.exitCode = 1;
  }
}

await main();
