import t from 'tap';
import { CLIENTS } from '../access/client.ts';
import { MODES } from '../access/modes.ts';
import { PART, testPart } from '../access/part.ts';

t.test('every mode and every client has its part', async (t) => {
  t.strictSame(Object.keys(PART).sort(), MODES.map(({ name }) => name).sort());
  t.strictSame([...new Set(Object.values(PART).flat())].sort(), Object.keys(CLIENTS).sort());
});

t.jobs = 3;
for (const name of Object.keys(PART).slice(0, 3)) testPart(t, name);
