import t from 'tap';
import { authorityOf, decideTag, type ShownTag, type StaleTagDecision } from '../../src/failover/stale-tag.ts';
import type { Judgement } from '../../src/failover/tag-history.ts';
import type { Unheard } from '../../src/failover/unheard.ts';
import { libraryRoute } from './made-view.ts';

const OLD = `sha256:${'a'.repeat(64)}`;
const NEW = `sha256:${'b'.repeat(64)}`;
const at = (time: string) => Date.parse(`2026-11-21T${time}Z`);

const CURRENT: Judgement = { verdict: 'current', current: OLD, confirmedAt: at('10:00:00') };
const STALE: Judgement = {
  verdict: 'stale',
  current: NEW,
  confirmedAt: at('10:05:00') + 0.25,
  supersededAt: at('10:01:00'),
};
const GONE: Judgement = { verdict: 'stale', deletedAt: at('10:05:00'), supersededAt: at('10:05:00') };
const UNKNOWN: Judgement = { verdict: 'unknown', current: NEW, confirmedAt: at('10:05:00') };
const UNRECORDED: Judgement = { verdict: 'unrecorded' };
const UNHEARD: Unheard = { peer: '10.0.0.2:443', since: at('10:30:00'), until: undefined };

const LOSS = 'harbor has lost content';

const POLICIES = ['refuse', 'warn', 'serve'] as const;
type Actions = Record<(typeof POLICIES)[number], StaleTagDecision['action']>;
const all = (action: StaleTagDecision['action']): Actions => ({ refuse: action, warn: action, serve: action });

function shown(given: Partial<ShownTag>): ShownTag {
  return {
    tag: 'v1',
    digest: OLD,
    shownBy: 'gcr',
    authority: 'harbor',
    authorityIs: 'failed',
    judgement: STALE,
    policy: 'warn',
    currentAsked: false,
    now: { monotonic: at('11:00:00'), wall: at('11:00:00') },
    ...given,
  };
}

t.test('what is done with a tag of a fallback', async (t) => {
  const bySeverity: Actions = { refuse: 'refuse', warn: 'serve-with-warning', serve: 'serve' };
  const rows: [string, Partial<ShownTag>, Actions][] = [
    ['current', { judgement: CURRENT }, all('serve')],
    ['current, primary slow', { judgement: CURRENT, authorityIs: 'slow' }, all('serve')],
    ['stale', { judgement: STALE }, { refuse: 'ask-current', warn: 'ask-current', serve: 'serve' }],
    [
      'stale, primary slow',
      { judgement: STALE, authorityIs: 'slow' },
      { refuse: 'ask-current', warn: 'ask-current', serve: 'wait-for-primary' },
    ],
    ['stale, the current one is nowhere', { judgement: STALE, currentAsked: true }, bySeverity],
    [
      'stale, the current one is nowhere, primary slow',
      { judgement: STALE, currentAsked: true, authorityIs: 'slow' },
      all('wait-for-primary'),
    ],
    ['deleted', { judgement: GONE }, bySeverity],
    ['deleted, primary slow', { judgement: GONE, authorityIs: 'slow' }, all('wait-for-primary')],
    [
      'unknown: it may be newer, so that even `refuse` serves it',
      { judgement: UNKNOWN },
      { refuse: 'serve-with-warning', warn: 'serve-with-warning', serve: 'serve' },
    ],
    ['unknown, primary slow', { judgement: UNKNOWN, authorityIs: 'slow' }, all('wait-for-primary')],
    ['unrecorded', { judgement: UNRECORDED }, all('serve')],
    ['unrecorded, primary slow', { judgement: UNRECORDED, authorityIs: 'slow' }, all('wait-for-primary')],
    ['current, and the primary has lost content', { judgement: CURRENT, loss: LOSS }, all('serve-with-warning')],
    ['unrecorded, and it has lost content', { judgement: UNRECORDED, loss: LOSS }, all('serve-with-warning')],
    [
      'current, it has lost content, and is slow',
      { judgement: CURRENT, loss: LOSS, authorityIs: 'slow' },
      all('serve'),
    ],
    ['current, but another edge may have moved it', { judgement: CURRENT, unheard: UNHEARD }, bySeverity],
    ['unrecorded, and another edge may know it', { judgement: UNRECORDED, unheard: UNHEARD }, bySeverity],
    [
      'current as far as this edge knows, primary slow',
      { judgement: CURRENT, unheard: UNHEARD, authorityIs: 'slow' },
      all('wait-for-primary'),
    ],
    [
      'unknown here: another edge may have pushed it',
      { judgement: UNKNOWN, unheard: UNHEARD },
      { refuse: 'serve-with-warning', warn: 'serve-with-warning', serve: 'serve' },
    ],
    ['stale in any case', { judgement: STALE, unheard: UNHEARD, currentAsked: true }, bySeverity],
  ];
  for (const [name, given, expected] of rows)
    for (const policy of POLICIES)
      t.equal(decideTag(shown({ ...given, policy })).action, expected[policy], `${name}, ${policy}`);
});

t.test('the current digest is what the push upstream last showed', async (t) => {
  t.strictSame(decideTag(shown({})), { action: 'ask-current', digest: NEW });
});

t.test('texts say who shows what, and what is known of it', async (t) => {
  const rows: [Partial<ShownTag>, string][] = [
    [
      { currentAsked: true },
      `tag v1 at gcr is ${OLD}, older, replaced by 2026-11-21T10:01:00Z at the latest: harbor last showed ${NEW} at 2026-11-21T10:05:00Z`,
    ],
    [{ judgement: GONE }, `tag v1 at gcr is ${OLD}, deleted: harbor has not had the tag since 2026-11-21T10:05:00Z`],
    [
      { judgement: GONE, tag: OLD },
      `manifest ${OLD} at gcr was deleted: harbor has not had it since 2026-11-21T10:05:00Z`,
    ],
    [
      { judgement: UNKNOWN },
      `tag v1 at gcr is ${OLD}, which harbor was not seen to have; it may be newer or older: harbor last showed ${NEW} at 2026-11-21T10:05:00Z`,
    ],
    [
      { judgement: { verdict: 'stale', current: NEW }, currentAsked: true },
      `tag v1 at gcr is ${OLD}, older, replaced by an unknown time at the latest: harbor last showed ${NEW} at an unknown time`,
    ],
    [
      { judgement: CURRENT, unheard: UNHEARD },
      `tag v1 at gcr is ${OLD}, and its age is unknown, because pushes through the edge at 10.0.0.2:443 may have been missed since 2026-11-21T10:30:00Z: harbor last showed ${OLD} at 2026-11-21T10:00:00Z`,
    ],
    [
      { judgement: UNRECORDED, unheard: { ...UNHEARD, since: undefined, until: at('10:31:00') } },
      `tag v1 at gcr is ${OLD}, and its age is unknown, because pushes through the edge at 10.0.0.2:443 may have been missed, until 2026-11-21T10:31:00Z`,
    ],
  ];
  for (const [given, text] of rows) {
    t.strictSame(decideTag(shown(given)), { action: 'serve-with-warning', text });
    t.match(text, /^[\x20-\x7e]+$/, 'it can stand in a header');
    t.notMatch(text, /["\\]/, 'and between quotes');
  }
  t.strictSame(decideTag(shown({ judgement: GONE, policy: 'refuse' })), { action: 'refuse', text: rows[1]?.[1] });
});

t.test('the upstream whose tags are authoritative', async (t) => {
  t.equal(authorityOf(libraryRoute())?.upstream, 'harbor');
  const { pull } = libraryRoute();
  t.equal(authorityOf(libraryRoute({ pull: [...pull].reverse() }))?.upstream, 'harbor', 'not who is asked first');
  t.equal(authorityOf(libraryRoute({ push: undefined, pull: [...pull].reverse() }))?.upstream, 'gcr', 'read-only');
});

t.test('a warning keeps to the clock of the host, though that was set', async (t) => {
  const now = { monotonic: at('11:00:00'), wall: at('10:00:00') };
  t.match(decideTag(shown({ judgement: UNKNOWN, now })), { text: /harbor last showed .* at 2026-11-21T09:05:00Z$/ });
});

t.test('what is said of a tag whose primary has lost content', async (t) => {
  const text = `tag v1 at gcr is ${OLD}: harbor has lost content`;
  const decided = decideTag(shown({ judgement: CURRENT, loss: LOSS }));
  t.strictSame(decided, { action: 'serve-with-warning', text });
});
