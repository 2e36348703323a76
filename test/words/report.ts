import { declaredNames, hasWord } from './declared-names.ts';
import { PRIVATE_WORDS } from './private-words.ts';

// Lists every declared name that has a private word, as `file:line: kind name (word)`; exit status 1 if there is one.
const found = declaredNames().flatMap((one) =>
  PRIVATE_WORDS.filter((word) => hasWord(one.name, word)).map(
    (word) => `${one.file}:${one.line}: ${one.kind} ${one.name} (${word})`,
  ),
);
for (const line of found) console.log(line);
console.log(`${found.length} names with a private word`);
process.exitCode = found.length > 0 ? 1 : 0;
