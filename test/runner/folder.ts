import { resolve } from 'node:path';
import t from 'tap';
import { filesOf, type Suite } from './suite.ts';

// Runs the test files of one folder in this process, one after the other: `node test/runner/folder.ts FOLDER SUITE`
const [folder = '', suite = 'main'] = process.argv.slice(2);
const loaded = Promise.withResolvers<void>();
// Without a test that waits, tap would take a slow import for the end of all tests, and run the teardowns of the files before.
t.test('every file is loaded', { timeout: 600_000 }, () => loaded.promise);
for (const file of filesOf(folder, suite as Suite)) await import(resolve(file));
loaded.resolve();
