import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import type { CoverageMap, FileCoverage } from 'istanbul-lib-coverage';
import { COLLECTED, WHOLE } from './collection.ts';
import { coverageOf } from './coverage-map.ts';

/** Shares in percent, rounded down to a tenth. */
export interface Share {
  lines: number;
  branches: number;
}

/** Of `src/` as a whole, after runs of `main` and `site` with `COVERAGE=all`. */
export async function shareOfAll(): Promise<Share> {
  return shareOf(await coverageOf(`${COLLECTED}/{main,site}/**/*.json`, 'src/**/*.ts'));
}

/** For each folder that is to be whole, what to print; `missing` names each line and branch that its tests do not run. */
export async function wholeFolders(suite: string): Promise<{ text: string; missing: string[] }[]> {
  const folders = WHOLE.filter((folder) => existsSync(`src/${folder}`)).map(async (folder) => {
    const map = await coverageOf(`${COLLECTED}/${suite}/test/${folder}/*.json`, `src/${folder}/**/*.ts`);
    const { lines, branches } = shareOf(map);
    const text = `src/${folder}: ${lines} % of lines and ${branches} % of branches`;
    return { text, missing: map.files().flatMap((file) => missingIn(map.fileCoverageFor(file))) };
  });
  return Promise.all(folders);
}

function shareOf(map: CoverageMap): Share {
  const { lines, branches } = map.getCoverageSummary().data;
  return { lines: lines.pct, branches: branches.pct };
}

function missingIn(file: FileCoverage): string[] {
  const path = relative('.', file.path);
  const lines = file.getUncoveredLines().map((line) => `${path}:${line} is not run`);
  const branches = Object.entries(file.b).flatMap(([id, counts]) => {
    const branch = file.branchMap[id];
    return counts.flatMap((count, index) => {
      if (count > 0 || branch === undefined) return [];
      const line = branch.locations[index]?.start.line;
      return line === undefined
        ? [`${path}:${branch.loc.start.line} always takes its if`]
        : [`${path}:${line} has a branch that is never taken`];
    });
  });
  return [...lines, ...branches];
}
