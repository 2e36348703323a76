import t from 'tap';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import { judge, type TagHistory } from '../../../src/failover/tag-history.ts';
import type { ImageLook } from '../../../src/proxy/endpoints/image-looks.ts';
import { outlookOf } from '../../../src/proxy/endpoints/image-outlook.ts';

const [A, B] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
const AT = Date.UTC(2026, 4, 4);

function route(over: object = {}) {
  const pull = [
    { upstream: 'harbor', replicate: false },
    { upstream: 'gcr', replicate: true },
  ];
  const rest = { staleTags: 'warn', onAbsent: 'stop', anonymous: false } as const;
  return resolveRoute({ prefix: 'library/', push: 'harbor', pull, ...rest, ...over } as never);
}

const look = (upstream: string, over: Partial<ImageLook>): ImageLook => ({
  upstream,
  url: `https://${upstream}.lan`,
  as: 'library/app:1',
  credentials: 'own',
  says: 'unknown',
  why: 'it did not answer in time',
  ms: 1,
  ...over,
});
const has = (upstream: string, digest?: string) => look(upstream, { says: 'has', ...(digest ? { digest } : {}) });
const lacks = (upstream: string) => look(upstream, { says: 'lacks', confirmed: true });

const entry = (digest: string | null, at: number) => ({ digest, since: AT + at, confirmedAt: AT + at });

function outlook(
  looks: ImageLook[],
  {
    history = [] as TagHistory,
    over = {},
    order = ['harbor', 'gcr'],
    reference = '1',
    loss = undefined as string | undefined,
  } = {},
) {
  return outlookOf({
    route: route(over),
    reference,
    order,
    looks,
    judge: (digest) => judge(history.length > 0 ? history : undefined, digest),
    unheard: undefined,
    loss,
    clocks: { monotonic: AT, wall: AT },
  });
}

t.test('both have the same', async (t) => {
  t.strictSame(outlook([has('harbor', A), has('gcr', A)], { history: [entry(A, 0)] }), {
    now: `harbor would serve ${A}`,
    digests: `harbor and gcr have ${A}`,
    withoutPrimary: `gcr would serve ${A}`,
  });
});

t.test('the fallback is behind', async (t) => {
  const looks = [has('harbor', A), has('gcr', B)];
  const unrecorded = outlook(looks);
  t.equal(unrecorded.digests, `the upstreams differ; harbor has ${A}; gcr has ${B}`);
  t.equal(
    unrecorded.withoutPrimary,
    `gcr would serve ${B}, and not ${A} of harbor`,
    'the ledger knows nothing, so nobody is warned',
  );
  const history = [entry(A, 60_000), entry(B, 0)];
  const warned = outlook(looks, { history }).withoutPrimary;
  t.match(
    warned,
    `gcr would be asked for ${A} by digest, which was not tried here; if that is not there, gcr would serve ${B}, with a warning: tag 1 at gcr is ${B}, older`,
  );
  t.match(
    outlook(looks, { history, over: { staleTags: 'refuse' } }).withoutPrimary,
    /clients would get 503, because tag 1 at gcr/,
  );
  t.equal(
    outlook(looks, { history, over: { staleTags: 'serve' } }).withoutPrimary,
    `gcr would serve ${B}, and not ${A} of harbor`,
  );
  t.match(outlook(looks, { loss: 'harbor has lost content' }).withoutPrimary, 'with a warning: tag 1 at gcr');
});

t.test('what is not there', async (t) => {
  const primaryLacks = outlook([lacks('harbor'), has('gcr', A)]);
  t.equal(primaryLacks.now, 'clients get 404, because harbor does not have it', 'the fallback is not asked');
  t.equal(primaryLacks.withoutPrimary, `gcr would serve ${A}`);
  t.equal(outlook([lacks('harbor'), has('gcr', A)], { over: { onAbsent: 'next' } }).now, `gcr would serve ${A}`);
  const unconfirmed = look('harbor', { says: 'lacks' });
  t.equal(outlook([unconfirmed, lacks('gcr')]).now, 'clients get 404, because no upstream has it');
  t.equal(outlook([lacks('harbor'), lacks('gcr')]).digests, 'no upstream has it');
  t.equal(outlook([has('harbor', A), lacks('gcr')]).withoutPrimary, 'no other upstream has it, so clients get 503');
  const alone = outlook([has('harbor', A)], { order: ['harbor'] }).withoutPrimary;
  t.equal(alone, 'no other upstream is asked, so clients would get 503 without harbor');
});

t.test('what is unknown is called unknown', async (t) => {
  const silent = outlook([look('harbor', {}), has('gcr', A)]);
  t.equal(silent.now, `harbor cannot be relied on: it did not answer in time; gcr would serve ${A}`);
  t.equal(silent.digests, `gcr has ${A}; what harbor has is not known`);
  t.equal(
    outlook([look('harbor', {}), lacks('gcr')]).now,
    'harbor cannot be relied on: it did not answer in time; no other upstream has it, so clients get 503',
  );
  const hidden = outlook([look('harbor', { hidden: true, why: 'it answers 401 without credentials' }), has('gcr', A)]);
  t.equal(
    hidden.now,
    `harbor decides by the credentials of the client, which are not known here; gcr would serve ${A}`,
  );
  t.equal(outlook([look('harbor', {}), look('gcr', {})]).digests, 'what harbor and gcr have is not known');
  t.equal(outlook([has('harbor', A), has('gcr')]).digests, `harbor has ${A}; what gcr has is not known`);
});
