import { privateNames } from './declared-names.ts';

// Lists every declared name that has a private word; exit status 1 if there is one.
const found = privateNames();
for (const line of found) console.log(line);
console.log(`${found.length} names with a private word`);
process.exitCode = found.length > 0 ? 1 : 0;
