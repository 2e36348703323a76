import { resolve } from 'node:path';
import { filesOf, type Suite } from './suite.ts';

// Runs the test files of one folder in this process, one after the other: `node test/runner/folder.ts FOLDER SUITE`
const [folder = '', suite = 'main'] = process.argv.slice(2);
for (const file of filesOf(folder, suite as Suite)) await import(resolve(file));
