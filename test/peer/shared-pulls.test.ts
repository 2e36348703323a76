import t from 'tap';
import { SharedPulls } from '../../src/peer/shared-pulls.ts';
import { PulledLog } from '../../src/replication/pulled-log.ts';

const A = `sha256:${'a'.repeat(64)}`;

function node() {
  const wall = { now: Date.now() };
  const log = new PulledLog({ now: () => wall.now });
  return { wall, log, shared: new SharedPulls(log) };
}

/** Tells one what the other has, as JSON, in small pages. */
function tell(from: SharedPulls, to: SharedPulls): void {
  let version = 0;
  do {
    const { entries, next } = from.since(version, 2);
    to.merge(JSON.parse(JSON.stringify(entries)));
    version = next;
  } while (version < from.head);
}

t.test('what one node served the others know, and it comes back to nobody', async (t) => {
  const [one, two, three] = [node(), node(), node()];
  for (const reference of ['1', '2', A])
    one.log.note({ registry: undefined, repository: 'library/app', reference, digest: A });
  one.log.note({ registry: 'docker.io', repository: 'library/app', reference: '1', digest: A });
  tell(one.shared, two.shared);
  tell(two.shared, three.shared);
  const sorted = (log: PulledLog) => [...log.within(1e9)].map((pulled) => JSON.stringify(pulled)).sort();
  t.equal(three.log.size, 4);
  t.strictSame(sorted(three.log), sorted(one.log));
  const { head } = one.shared;
  tell(three.shared, one.shared);
  t.equal(one.shared.head, head);
  three.wall.now += 61_000;
  three.log.note({ registry: undefined, repository: 'library/app', reference: '1', digest: A });
  tell(three.shared, one.shared);
  t.equal(one.shared.head, head + 1, 'but that it was pulled again does');
});

t.test('what cannot be understood is refused as a whole', async (t) => {
  const { log, shared } = node();
  const good = [null, 'library/app', '1', A, Date.now()];
  for (const bad of [
    null,
    {},
    [],
    ['a\nb', 'library/app', '1', A, 1],
    ['x'.repeat(300), 'library/app', '1', A, 1],
    [null, 'UPPER', '1', A, 1],
    [null, 'library/app', 'bad tag', A, 1],
    [null, 'library/app', 'sha256:short', A, 1],
    [null, 'library/app', '1', 'sha256:short', 1],
    [null, 'library/app', '1', A, -1],
    [null, 'library/app', '1', A, '1'],
    [null, 'library/app', '1', A, Number.POSITIVE_INFINITY],
  ])
    t.equal(shared.merge([good, bad]), undefined, JSON.stringify(bad));
  t.equal(log.size, 0);
  t.equal(shared.merge([good]), 1);
});
