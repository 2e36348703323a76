import t from 'tap';
import { CLIENTS } from './clients.ts';
import { page, withoutTimes } from './page.ts';
import { STATES } from './states.ts';
import { metBy } from './words.ts';

const finished = (output: string, status = 1) => ({ status, stdout: '', output, took: 1234 });

t.test('what a client says is the same for every run', async (t) => {
  const digest = `sha256:${'a1'.repeat(32)}`;
  const rows: [string, string, boolean][] = [
    [
      'time="2026-11-30T18:28:09Z" level=fatal msg="127.0.0.1:5000: denied: pushes are refused since 2026-11-30T18:28:09Z: no"',
      'level=fatal msg="cr.example.io: denied: pushes are refused since HH:MM UTC: no"',
      true,
    ],
    [
      `2026/11/30 18:28:10 retrying GET 127.0.0.1:5000/${digest}: gcr does not have it; harbor, which may, has been down since 18:23 UTC (request 0a1b)\nError: 503`,
      'retrying GET cr.example.io/sha256:…: gcr does not have it; harbor, which may, has been down since HH:MM UTC (request …)',
      true,
    ],
    ['[2026-11-30T18:32:50.735Z][WARNING]: app:1 cannot be served now', '[WARNING]: app:1 cannot be served now', true],
    ['\u001b[1;33mfirst\u001b[0m\nError: 503', 'Error: 503', false],
    ['', '', false],
  ];
  for (const [output, words, told] of rows)
    t.strictSame(metBy(finished(output), '127.0.0.1:5000'), { took: 1234, ok: false, words, told });
  t.strictSame(metBy(finished('Digest: …', 0), ''), { took: 1234, ok: true, words: '', told: false });
});

t.test('docs/outages.md has every client in every state', async (t) => {
  const sections = page.read().split('\n## ').slice(1);
  t.strictSame(
    sections.map((section) => section.split('\n')[0]),
    STATES.map(({ title }) => title),
  );
  for (const section of sections)
    t.strictSame(
      [...section.matchAll(/^\| (\w+) \|/gm)].map(([, name]) => name),
      ['client', ...Object.keys(CLIENTS)],
    );
});

t.test('only times may differ', async (t) => {
  t.equal(withoutTimes('| crane | 0.4 s | fails in 13 s, says why |'), '| crane | N s | fails in N s, says why |');
});
