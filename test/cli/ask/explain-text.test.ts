import t from 'tap';
import { explanationText } from '../../../src/cli/ask/explain.ts';

t.test('says once where a push goes, or why it is refused', async (t) => {
  const pull = [{ upstream: 'harbor', url: 'https://harbor.lan', as: 'library/app:1', why: 'up: canary read' }];
  const explanation = { repository: 'library/app', reference: '1', route: 'library/', pull };
  const text = (push: Parameters<typeof explanationText>[0]['push']) => explanationText({ ...explanation, push }, 0);
  const harbor = { upstream: 'harbor', as: 'library/app:1' };
  t.equal(
    text({ ...harbor, admitted: true, why: 'canary read' }),
    `library/app:1 takes the route "library/"
pull, in this order:
  1.  harbor  https://harbor.lan  library/app:1  up: canary read
push goes to harbor as library/app:1 (canary read)
`,
  );
  const why = 'pushes are refused since 2026-05-04T03:01:00Z: harbor cannot take them (no answer); pulls keep working';
  t.match(text({ ...harbor, admitted: false, why }), `\n${why}\n`);
});

t.test('says that content is lost', async (t) => {
  const lost = 'harbor has lost content since 2026-05-04T03:01:00Z: a push that it acknowledged cannot be found there';
  const explanation = { repository: 'library/app', reference: '1', route: 'library/', pull: [], lost };
  const text = explanationText({ ...explanation, push: { admitted: false, why: 'no' } }, 0);
  t.match(text, `\n${lost}; until then, 404s of it are not believed, and tags that went back are served as before\n`);
});
