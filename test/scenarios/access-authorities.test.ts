import t from 'tap';
import { PART, testPart } from '../access/part.ts';

// The other kinds of authority: see access.test.ts.

t.jobs = 3;
for (const name of Object.keys(PART).slice(3)) testPart(t, name);
