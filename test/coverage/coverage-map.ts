import { globSync, readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { stripTypeScriptTypes } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
// @ts-expect-error the package has no types
import { mergeProcessCovs } from '@bcoe/v8-coverage';
import { parse } from 'acorn';
import { convert } from 'ast-v8-to-istanbul';
import libCoverage, { type CoverageMap } from 'istanbul-lib-coverage';

/** Files that are merged at a time: each holds what one process ran. */
const BATCH = 32;

/**
 * What of the sources was run, by the statements and branches of their syntax.
 * @param collected patterns of the files that collect.js wrote
 * @param sources pattern of the files that count; one that was never loaded counts as not covered
 */
export async function coverageOf(collected: string, sources: string): Promise<CoverageMap> {
  const scripts = mergedScripts(globSync(collected));
  const map = libCoverage.createCoverageMap();
  for (const file of globSync(sources).sort()) {
    const url = pathToFileURL(resolve(file)).href;
    const code = strippedSource(file);
    const ast = parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
    map.merge(await convert({ code, ast, coverage: scripts.get(url) ?? neverLoaded(url, code) }));
  }
  return map;
}

function mergedScripts(files: readonly string[]): Map<string, Profiler.ScriptCoverage> {
  let merged: Profiler.TakePreciseCoverageReturnType = { result: [] };
  for (let at = 0; at < files.length; at += BATCH) {
    const some = files.slice(at, at + BATCH).map((file) => JSON.parse(readFileSync(file, 'utf8')));
    merged = mergeProcessCovs([merged, ...some]);
  }
  return new Map(merged.result.map((script) => [script.url, script]));
}

/** What Node runs: its type stripping leaves blanks, so that every offset stays. */
function strippedSource(file: string): string {
  const source = readFileSync(file, 'utf8');
  return file.endsWith('.ts') ? stripTypeScriptTypes(source) : source;
}

function neverLoaded(url: string, code: string): Profiler.ScriptCoverage {
  const ranges = [{ startOffset: 0, endOffset: code.length, count: 0 }];
  return { scriptId: '0', url, functions: [{ functionName: '', ranges, isBlockCoverage: true }] };
}
