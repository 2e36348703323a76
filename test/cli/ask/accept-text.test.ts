import t from 'tap';
import { acceptedText } from '../../../src/cli/ask/accept.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const none = { upstream: 'harbor', tags: [], unread: [], more: 0, waiting: 0, unnamed: 0, lost: false };

t.test('says what was accepted, and what is still missed', async (t) => {
  t.equal(
    acceptedText({
      ...none,
      tags: [
        { image: 'library/app:1', digest: DIGEST },
        { image: 'library/app:2', digest: null },
      ],
      more: 1,
      waiting: 2,
    }),
    `2 tags accepted as harbor shows them now
  library/app:1  sha256:aaaaaaaaaaaa…
  library/app:2  is not there
1 further tag of the ledger is being read
2 tags whose copies may be newer are copied now
harbor misses nothing any more; it is compared and copied again within a minute
`,
  );
  const tags = Array.from({ length: 25 }, (_, index) => ({ image: `library/app:${index}`, digest: DIGEST }));
  const text = acceptedText({ ...none, tags, unread: ['library/other:1'], more: 2, waiting: 1, lost: true });
  t.match(text, /^25 tags accepted/);
  t.match(text, /\n {2}and 5 more\n2 further tags of the ledger are being read\n/);
  t.match(text, /\n1 tag whose copies may be newer is copied now\n/);
  t.match(text, /\ncould not be read, and is as before: library\/other:1\n/);
  t.match(text, /\nharbor still misses content; .*: breakwater accept harbor\n$/);
  t.match(acceptedText({ ...none, waiting: 10_000, unnamed: 1 }), /\n1 further tag still waits; accept again after/);
  t.match(acceptedText({ ...none, tags: tags.slice(0, 1) }), /^1 tag accepted as harbor shows it now\n/);
});
