import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

// Preloaded into every process of a run with coverage: `NODE_OPTIONS="--import …/collect.js" COVERAGE_FOLDER=…`.
// It is no TypeScript, because some tests start an older Node.
// NODE_V8_COVERAGE would also write down node_modules and the tests: ten times as much, in each of a thousand processes.
const folder = process.env.COVERAGE_FOLDER;
const SOURCES = new URL('../../src/', import.meta.url).href;

if (folder !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  process.on('exit', () => {
    session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error) throw error;
      const result = coverage.result.filter(({ url }) => url.startsWith(SOURCES));
      if (result.length === 0) return;
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${process.pid}-${threadId}-${Date.now()}.json`), JSON.stringify({ result }));
    });
  });
}
