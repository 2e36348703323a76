import t from 'tap';
import { PulledLog, type PulledManifest, pulledKey } from '../../../src/replication/coverage/pulled-log.ts';

const [A = '', B = ''] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);
const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 21);

function makeLog(max = 10) {
  const clock = { now: START };
  const log = new PulledLog({ max, now: () => clock.now });
  const told: string[] = [];
  log.onChange = (key) => told.push(key);
  const note = (reference: string, digest = A) =>
    log.record({ registry: undefined, repository: 'app', reference, digest });
  const references = (ms = 31 * DAY) => [...log.within(ms)].map(({ reference }) => reference).sort();
  return { clock, log, told, note, references };
}

const pulled = (over: Partial<PulledManifest> = {}): Omit<PulledManifest, 'since'> => ({
  registry: undefined,
  repository: 'app',
  reference: '1',
  digest: A,
  at: START,
  ...over,
});

t.test('each thing is kept once, and that it was pulled again is noted once a minute', async (t) => {
  const { clock, log, told, note } = makeLog();
  note('1');
  clock.now += 59_000;
  note('1');
  t.equal(told.length, 1);
  t.equal(log.find(pulledKey(pulled()))?.at, START);
  note('1', B);
  t.equal(told.length, 2, 'another digest is news at once');
  clock.now += 60_000;
  note('1', B);
  t.equal(told.length, 3);
  const kept = { ...pulled({ digest: B, at: START + 119_000 }), since: START + 59_000 };
  t.strictSame(log.find(pulledKey(pulled())), kept, 'since the first pull of this digest');
  t.equal([...log.within(1e9)].length, 1);
});

t.test('pulls within a time', async (t) => {
  const { clock, note, references, log } = makeLog();
  note('old');
  clock.now += 5 * DAY;
  note('new');
  t.strictSame(references(7 * DAY), ['new', 'old']);
  t.strictSame(references(4 * DAY), ['new']);
  clock.now += 27 * DAY;
  t.strictSame(references(365 * DAY), ['new'], 'after a month a pull is forgotten');
  t.equal(log.find(pulledKey(pulled({ reference: 'old' }))), undefined);
});

t.test('of too many things those go that were not pulled for the longest time', async (t) => {
  const { clock, note, references } = makeLog(3);
  for (const reference of ['1', '2', '3', '1', '4']) {
    clock.now += 61_000;
    note(reference);
  }
  t.strictSame(references(), ['1', '3', '4']);
});

t.test('pulls of another edge are merged where they are later', async (t) => {
  const { log, told, note, references } = makeLog(2);
  note('1');
  t.equal(log.merge([pulled({ at: START - 1000, digest: B })]), 0);
  t.equal(log.merge([pulled({ at: START + 1000, digest: B })]), 1);
  t.equal(log.find(pulledKey(pulled()))?.digest, B);
  t.equal(log.merge([pulled({ at: START + 1000, digest: B })]), 0, 'it knew that');
  t.equal(log.merge([pulled({ at: START + DAY, reference: '2' })]), 0, 'nothing from tomorrow');
  t.equal(log.merge([pulled({ at: START - 32 * DAY, reference: '2' })]), 0, 'nothing from last month');
  t.equal(log.merge([pulled({ digest: 'x', reference: '2' })]), 0);
  t.equal(log.merge([pulled({ reference: '2' })]), 1);
  t.equal(log.merge([pulled({ at: START - DAY, reference: '3' })]), 0, 'it does not push out what is newer');
  t.strictSame(references(), ['1', '2']);
  t.equal(told.length, 4, 'what is older here and there is told again');
  t.not(pulledKey(pulled()), pulledKey(pulled({ registry: 'docker.io' })));
});
