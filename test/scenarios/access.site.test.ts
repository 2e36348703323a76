import t from 'tap';
import { CLIENTS } from '../access/client.ts';
import { MODES } from '../access/modes.ts';
import { PART, testPart } from '../access/part.ts';

t.test('every client has its part, in modes that there are', async (t) => {
  const modes = MODES.map(({ name }) => name);
  for (const name of Object.keys(PART)) t.ok(modes.includes(name), name);
  t.strictSame([...new Set(Object.values(PART).flat())].sort(), Object.keys(CLIENTS).sort());
});

t.jobs = 3;
for (const name of Object.keys(PART)) testPart(t, name);
