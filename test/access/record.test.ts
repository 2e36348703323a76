import t from 'tap';
import { CLIENTS } from './client.ts';
import { expectedCell } from './expected.ts';
import { MODES } from './modes.ts';
import { record, wordsOf } from './record.ts';
import { STATES } from './table-run.ts';
import { tablesOf } from './tables.ts';

const recorded = record.read();

t.test('in the last whole run every cell was what it should be', async (t) => {
  const expected = Object.fromEntries(
    MODES.map((mode) => [
      mode.name,
      Object.fromEntries(
        Object.keys(CLIENTS).map((client) => [
          client,
          Object.fromEntries(STATES.map((state) => [state, wordsOf(expectedCell(mode, state, client))])),
        ]),
      ),
    ]),
  );
  t.strictSame(recorded, expected);
});

t.test('docs/authentication.md shows it', async (t) => {
  t.equal(record.documented(), tablesOf(recorded), 'as npm run access-table -- --record writes it');
});
