import t from 'tap';
import {
  afterLoss as afterLosses,
  type ContentFacts,
  endsLook,
  type FoundPush,
  judgeContent,
  lossText,
  type PushEvidence,
  takesBack,
  unclearText,
  untoldPush,
} from '../../src/failover/lost-content.ts';
import { noteState, type TagHistory } from '../../src/failover/tag-history.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const MINUTE = 60_000;
const HOUR = 3_600_000;
const [A = '', B = '', C = ''] = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`);

type Given = [minutesAgo: number, found: FoundPush, more?: Partial<PushEvidence>];
const pushes = (given: readonly Given[]) =>
  given.map(([ago, found, more], index) => ({
    repository: 'library/app',
    tag: `${index}`,
    at: NOW - ago * MINUTE,
    found,
    overwritten: false,
    afterLoss: false,
    ...more,
  }));
/** An earlier push of the tag that was pushed last. */
const overwritten = { overwritten: true, tag: '0' };
const afterLoss = { afterLoss: true };

interface Row {
  what: string;
  /** Newest first. */
  found: readonly Given[];
  facts?: Partial<ContentFacts>;
  /** Minutes since which content is lost, or another verdict. */
  judged: number | 'intact' | 'unclear' | 'unknown';
}

const ROWS: readonly Row[] = [
  { what: 'nothing was pushed', found: [], judged: 'unknown' },
  {
    what: 'all is there',
    found: [
      [20, 'there'],
      [30, 'there'],
    ],
    judged: 'intact',
  },
  {
    what: 'the newest two are gone',
    found: [
      [20, 'gone'],
      [30, 'gone'],
      [40, 'there'],
    ],
    judged: 30,
  },
  {
    what: 'the volume is lost',
    found: [
      [20, 'gone'],
      [30, 'gone'],
      [40, 'gone'],
      [900, 'gone'],
    ],
    judged: 900,
  },
  {
    what: 'one is gone: it may have been deleted past the edge',
    found: [
      [20, 'gone'],
      [30, 'there'],
    ],
    judged: 'intact',
  },
  { what: 'one is gone, and nothing else was pushed', found: [[20, 'gone']], judged: 'unknown' },
  {
    what: 'retention deleted many, but the newest is there',
    found: [
      [20, 'there'],
      [30, 'gone'],
      [40, 'gone'],
      [50, 'gone'],
      [60, 'there'],
    ],
    judged: 'intact',
  },
  {
    what: 'the canary fails: storage is not there at all',
    found: [
      [20, 'gone'],
      [30, 'gone'],
    ],
    facts: { canary: 'failing' },
    judged: 'unclear',
  },
  {
    what: 'no canary could be read',
    found: [
      [20, 'gone'],
      [30, 'gone'],
    ],
    facts: { canary: 'none' },
    judged: 'unknown',
  },
  {
    what: 'the canary fails and all is there',
    found: [[20, 'there']],
    facts: { canary: 'failing' },
    judged: 'unclear',
  },
  // What says nothing.
  {
    what: 'a tag that was moved in the registry',
    found: [
      [20, 'elsewhere'],
      [30, 'there'],
    ],
    judged: 'intact',
  },
  {
    what: 'tags that were moved, and nothing else',
    found: [
      [20, 'elsewhere'],
      [30, 'elsewhere'],
    ],
    judged: 'unknown',
  },
  {
    what: 'the snapshot has a newer manifest under another tag',
    found: [
      [20, 'gone'],
      [25, 'elsewhere'],
      [30, 'gone'],
      [40, 'there'],
    ],
    judged: 30,
  },
  {
    what: 'an overwritten manifest that was collected',
    found: [
      [20, 'gone'],
      [90, 'gone', overwritten],
      [95, 'there'],
    ],
    judged: 'intact',
  },
  {
    what: 'an overwritten manifest that is too new to be collected',
    found: [
      [20, 'gone'],
      [30, 'gone', overwritten],
    ],
    judged: 30,
  },
  {
    what: 'new overwritten manifests that were collected all the same: their tag has its newest push',
    found: [
      [20, 'there'],
      [25, 'gone', overwritten],
      [30, 'gone', overwritten],
    ],
    facts: { soundAt: 0 },
    judged: 'intact',
  },
  {
    what: 'the same, just now',
    found: [
      [1, 'there'],
      [2, 'gone', overwritten],
      [3, 'gone', overwritten],
    ],
    judged: 'intact',
  },
  {
    what: 'an overwritten manifest is in storage, as it should be',
    found: [
      [20, 'gone'],
      [30, 'elsewhere', overwritten],
      [40, 'there'],
    ],
    judged: 'intact',
  },
  // What could not be asked.
  {
    what: 'the newest could not be asked',
    found: [
      [20, 'unclear'],
      [30, 'gone'],
      [40, 'gone'],
    ],
    judged: 'unclear',
  },
  {
    what: 'the newest could not be asked, and those before it are there: it alone is no loss',
    found: [
      [20, 'unclear'],
      [30, 'there'],
      [40, 'gone'],
    ],
    judged: 'unknown',
  },
  {
    what: 'the same with a new one before it, which says nothing of the time before',
    found: [
      [1, 'there'],
      [2, 'unclear'],
      [3, 'there'],
      [30, 'gone'],
    ],
    judged: 'unknown',
  },
  {
    what: 'the newest two could not be asked',
    found: [
      [20, 'unclear'],
      [30, 'unclear'],
      [40, 'there'],
    ],
    judged: 'unclear',
  },
  {
    what: 'the newest of a tag could not be asked, and the one before it is gone',
    found: [
      [20, 'unclear'],
      [30, 'gone', overwritten],
    ],
    judged: 'unclear',
  },
  {
    what: 'the only one could not be asked',
    found: [[20, 'unclear']],
    judged: 'unknown',
  },
  {
    what: 'two are gone, and the next could not be asked',
    found: [
      [20, 'gone'],
      [30, 'gone'],
      [40, 'unclear'],
    ],
    judged: 30,
  },
  {
    what: 'one is gone, and the next could not be asked',
    found: [
      [20, 'gone'],
      [30, 'unclear'],
      [40, 'gone'],
    ],
    judged: 'unclear',
  },
  {
    what: 'a recent one is there, and the next could not be asked',
    found: [
      [1, 'there'],
      [30, 'unclear'],
    ],
    judged: 'unknown',
  },
  // What may not be read.
  {
    what: 'no push may be read',
    found: [
      [20, 'denied'],
      [30, 'denied'],
    ],
    judged: 'unknown',
  },
  {
    what: 'the newest may not be read, and two of those that may are gone',
    found: [
      [20, 'denied'],
      [30, 'gone'],
      [35, 'denied'],
      [40, 'gone'],
      [50, 'there'],
    ],
    judged: 40,
  },
  {
    what: 'one is gone, and another one may not be read: it does not count as gone',
    found: [
      [20, 'gone'],
      [30, 'denied'],
      [40, 'there'],
    ],
    judged: 'intact',
  },
  {
    what: 'those that may be read are there',
    found: [
      [20, 'denied'],
      [30, 'there'],
    ],
    judged: 'intact',
  },
  {
    what: 'what is missed may not be read any more',
    found: [
      [20, 'denied', { missed: true }],
      [30, 'there'],
    ],
    facts: { known: true },
    judged: 'unknown',
  },
  {
    what: 'something else may not be read, and what was missed is there',
    found: [
      [20, 'denied'],
      [30, 'there', { missed: true }],
    ],
    facts: { known: true },
    judged: 'intact',
  },
  // Pushes after the loss.
  {
    what: 'pushes went on before the loss was noticed',
    found: [
      [1, 'there'],
      [2, 'there'],
      [20, 'gone'],
      [30, 'gone'],
    ],
    judged: 30,
  },
  {
    what: 'retention just now, among new pushes',
    found: [
      [1, 'there'],
      [2, 'gone'],
      [3, 'there'],
      [4, 'gone'],
      [5, 'gone'],
      [6, 'there'],
    ],
    judged: 'intact',
  },
  {
    what: 'they were there when all was well',
    found: [
      [1, 'there'],
      [20, 'gone'],
      [30, 'gone'],
    ],
    facts: { soundAt: NOW },
    judged: 'intact',
  },
  {
    what: 'pushes went on for long before the loss was noticed',
    found: [
      [15, 'there'],
      [20, 'gone'],
      [30, 'gone'],
    ],
    judged: 'intact',
  },
  {
    what: 'a push while content was known to be lost',
    found: [
      [15, 'there', afterLoss],
      [20, 'gone'],
      [30, 'gone'],
    ],
    judged: 30,
  },
  {
    what: 'only recent pushes, all there',
    found: [
      [1, 'there'],
      [2, 'there'],
    ],
    judged: 'intact',
  },
  // While content is known to be lost.
  {
    what: 'one is still gone',
    found: [
      [20, 'gone'],
      [40, 'there'],
    ],
    facts: { known: true },
    judged: 20,
  },
  {
    what: 'all is there again',
    found: [
      [20, 'there'],
      [40, 'there'],
    ],
    facts: { known: true },
    judged: 'intact',
  },
  { what: 'it cannot be asked', found: [[20, 'unclear']], facts: { known: true }, judged: 'unclear' },
];

t.test('whether an upstream has lost content', async (t) => {
  for (const { what, found, facts, judged } of ROWS) {
    const verdict = judgeContent(pushes(found), {
      canary: 'good',
      soundAt: NOW - 50 * HOUR,
      known: false,
      now: NOW,
      ...facts,
    });
    if (typeof judged === 'number') t.match(verdict, { verdict: 'lost', since: NOW - judged * MINUTE }, what);
    else t.strictSame(verdict, { verdict: judged }, what);
  }
});

t.test('where a look for pushes may end', async (t) => {
  const ends = (given: Given | Given[], soundAt = 0) =>
    endsLook(pushes((Array.isArray(given[0]) ? given : [given]) as Given[]), { soundAt, now: NOW, known: false });
  t.ok(ends([20, 'there']));
  t.notOk(ends([20, 'unclear']), 'one that cannot be asked alone is no loss');
  t.ok(
    ends([
      [20, 'unclear'],
      [30, 'gone'],
      [40, 'unclear'],
    ]),
  );
  t.ok(ends([1, 'there'], NOW), 'it was there when all was well');
  t.notOk(ends([1, 'there']), 'it may have come after the loss');
  t.notOk(ends([20, 'there', afterLoss]));
  t.notOk(ends([20, 'gone']));
  t.notOk(ends([20, 'elsewhere']));
  t.notOk(ends([20, 'denied']), 'older pushes may be readable');
});

t.test('which answers move a tag back', async (t) => {
  const history: TagHistory = noteState(noteState([], A, 100), B, 200);
  const rows: [what: string, digest: string | null, pushed: boolean, back: boolean][] = [
    ['the same digest', B, true, false],
    ['an older digest', A, false, true],
    ['no digest', null, false, true],
    ['a digest that was never seen is most likely newer', C, false, false],
    ['a digest that was never seen, after a push', C, true, true],
  ];
  for (const [what, digest, pushed, back] of rows) t.equal(takesBack(history, digest, 300, pushed), back, what);
  t.notOk(takesBack(history, A, 150, true), 'a read that began before the push');
  t.notOk(takesBack(undefined, A, 300, true), 'nothing is known');
  t.notOk(takesBack(noteState(history, null, 250), A, 300, false), 'it was deleted');
});

t.test('which pushes an edge was not told of', async (t) => {
  const history = (...states: readonly [digest: string | null, at: number][]): TagHistory =>
    states.map(([digest, at]) => ({ digest, since: at, confirmedAt: at }));
  const pushed = new Map([
    [B, 20],
    [C, 40],
  ]);
  const rows: readonly [what: string, one: TagHistory, other: TagHistory, untold: string | undefined][] = [
    ['it saw another digest later', history([B, 20]), history([A, 30]), B],
    ['it saw the tag vanish later', history([B, 20]), history([null, 30]), B],
    ['it saw the pushed digest without knowing it as a push', history([B, 20]), history([A, 30], [B, 20]), B],
    ['it saw the tag vanish before the push', history([B, 20]), history([A, 30], [B, 20], [null, 10]), B],
    [
      'it saw the tag deleted or accepted after the push',
      history([B, 20]),
      history([A, 30], [null, 25], [B, 20]),
      undefined,
    ],
    ['it knows the push', history([B, 20]), history([B, 30]), undefined],
    ['a later push explains it', history([B, 20]), history([C, 40]), undefined],
    ['an earlier push does not', history([C, 40]), history([B, 50]), C],
    ['what was seen last was not pushed', history([A, 20]), history([B, 30]), undefined],
    ['the tag was deleted', history([null, 20]), history([A, 30]), undefined],
    ['one edge knows nothing', history(), history([B, 20]), undefined],
    ['neither does the other', history(), history(), undefined],
  ];
  for (const [what, one, other, untold] of rows) {
    t.equal(
      untoldPush(one, other, (digest) => pushed.get(digest)),
      untold,
      what,
    );
    t.equal(
      untoldPush(other, one, (digest) => pushed.get(digest)),
      untold,
      `${what}, told the other way round`,
    );
  }
});

t.test('the message about lost content', async (t) => {
  const loss = { since: NOW - HOUR, noticedAt: NOW, gone: 2, images: ['library/app:1', 'library/app:2'] };
  const now = { monotonic: NOW, wall: NOW };
  t.equal(
    lossText('harbor', loss, now),
    'harbor has lost content since 2026-11-21T11:00:00Z: 2 pushes that it acknowledged cannot be found there (library/app:1, library/app:2); restore them, or run breakwater accept harbor',
  );
  t.match(lossText('harbor', { ...loss, gone: 1 }, now), /: a push that it acknowledged cannot/);
  t.match(unclearText('harbor'), /^harbor shows an older manifest or none, and it could not be asked whether/);
});

t.test('pushes after a loss that an edge knew of', async (t) => {
  const of = (...given: readonly [at: number, lossKnownFor?: number][]) => {
    const pushes = given.map(([at, lossKnownFor]) => ({ at, lossKnownFor }));
    const isAfter = afterLosses(pushes);
    return pushes.filter(isAfter).map(({ at }) => at);
  };
  t.strictSame(of([30], [20], [10]), [], 'no edge knew of one');
  t.strictSame(of([30, 0], [20]), [30], 'it was known at that moment');
  t.strictSame(
    of([40], [30, 15], [20], [10]),
    [30, 20],
    'since 15, at one edge; the last one came when it was known no longer',
  );
  t.strictSame(of([30, 15], [15]), [30], 'a push of the moment in which it was noticed may be from before');
  t.strictSame(of([60, 5], [57], [50], [30, 15], [20], [10]), [60, 57, 30, 20], 'two losses');
});
