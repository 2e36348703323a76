import t from 'tap';
import { explanationText } from '../../../src/cli/ask/explain.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const ASKED: Pick<Parameters<typeof explanationText>[0], 'looks' | 'outlook' | 'user'> = {
  looks: [
    {
      upstream: 'harbor',
      url: 'https://harbor.lan',
      as: 'library/app:1',
      credentials: 'own',
      says: 'has',
      digest: DIGEST,
      why: 'it answers 200',
      ms: 7,
    },
    {
      upstream: 'gcr',
      url: 'https://gcr.lan',
      as: 'acme/app:1',
      credentials: 'none',
      says: 'unknown',
      why: 'it did not answer in time',
      ms: 3000,
    },
  ],
  outlook: {
    digests: `harbor has ${DIGEST}`,
    now: `harbor would serve ${DIGEST}`,
    withoutPrimary: 'clients get 503',
  },
  user: { user: 'ann', known: ['ann may pull'], unknown: ['what harbor says'] },
};

t.test('says once where a push goes, or why it is refused', async (t) => {
  const pull = [{ upstream: 'harbor', url: 'https://harbor.lan', as: 'library/app:1', why: 'up: canary read' }];
  const explanation = { ...ASKED, repository: 'library/app', reference: '1', route: 'library/', pull };
  const text = (push: Parameters<typeof explanationText>[0]['push']) => explanationText({ ...explanation, push }, 0);
  const harbor = { upstream: 'harbor', as: 'library/app:1' };
  t.equal(
    text({ ...harbor, admitted: true, why: 'canary read' }),
    `library/app:1 takes the route "library/"
pull, in this order:
  1.  harbor  https://harbor.lan  library/app:1  up: canary read
push goes to harbor as library/app:1 (canary read)
asked now:
  harbor  https://harbor.lan  library/app:1  has sha256:aaaaaaaaaaaa…  7 ms, with the edge's credentials: it answers 200
  gcr     https://gcr.lan     acme/app:1     unknown                   3000 ms, with no credentials: it did not answer in time
digests: harbor has sha256:aaaaaaaaaaaa…
now: harbor would serve sha256:aaaaaaaaaaaa…
without the primary: clients get 503
Only manifests were asked for. \`breakwater coverage\` says which copies are complete.
user ann:
  ann may pull
  not known: what harbor says
`,
  );
  const why = 'pushes are refused since 2026-05-04T03:01:00Z: harbor cannot take them (no answer); pulls keep working';
  t.match(text({ ...harbor, admitted: false, why }), `\n${why}\n`);
});

t.test('says that content is lost', async (t) => {
  const lost = 'harbor has lost content since 2026-05-04T03:01:00Z: a push that it acknowledged cannot be found there';
  const explanation = { ...ASKED, repository: 'library/app', reference: '1', route: 'library/', pull: [], lost };
  const text = explanationText({ ...explanation, push: { admitted: false, why: 'no' } }, 0);
  t.match(text, `\n${lost}; until then, 404s of it are not believed, and tags that went back are served as before\n`);
});

t.test('an edge of an earlier release only plans', async (t) => {
  const explanation = { repository: 'library/app', reference: '1', route: 'library/', pull: [] };
  const text = explanationText({ ...explanation, push: { admitted: false, why: 'no' } }, 0);
  t.match(text, /\nno\nnot asked: the edge is of an earlier release\n$/);
});
