import { benchBlobs } from './blobs.ts';
import { benchManifests } from './manifests.ts';
import { type Options, type Part, parseOptions, USAGE } from './options.ts';
import { benchOutages } from './outages.ts';
import { record } from './results.ts';
import { Scope } from './scope.ts';
import { asText, hasGaps, type Section } from './section.ts';

const BENCHES: Record<Part, (scope: Scope, options: Options) => Promise<Section>> = {
  blobs: benchBlobs,
  manifests: benchManifests,
  outages: benchOutages,
};

async function main(): Promise<void> {
  const options = readOptions();
  const root = new Scope();
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => void root.close().then(() => process.exit(status)));
  }
  const sections: Section[] = [];
  try {
    for (const part of options.parts) {
      const section = await root.within((scope) => BENCHES[part](scope, options));
      process.stdout.write(asText(section));
      sections.push(section);
    }
  } finally {
    await root.close();
  }
  const problems = sections.flatMap((section) => [
    ...section.problems,
    ...(hasGaps(section) ? [`${section.title}: a number is missing`] : []),
  ]);
  for (const problem of problems) process.stderr.write(`bench: ${problem}\n`);
  if (options.record) await record(sections, process.argv.slice(2));
  if (problems.length > 0) process.exitCode = 1;
}

function readOptions(): Options {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    process.exit(2);
  }
}

await main();
