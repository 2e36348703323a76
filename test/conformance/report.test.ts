import t from 'tap';
import { compareReports, figuresOf, type Report, readReport } from './report.ts';

const XML = `<testsuites><testsuite name="all">
    <testcase name="Test/ping" time="0.1" status="passed">
      <system-err>GET https://127.0.0.1:5000/v2/</system-err>
    </testcase>
    <testcase name="Test/pull" status="failure"><system-out>received &#34;a&#xA;b&lt;&#34;</system-out></testcase>
    <testcase name="Test/pull" status="skipped"/>
</testsuite></testsuites>`;

t.test('a report has the outcome and the words of each test', async (t) => {
  const report = readReport(XML);
  t.strictSame(Object.fromEntries(report), {
    'Test/ping': [{ status: 'passed', words: '' }],
    'Test/pull': [
      { status: 'failure', words: 'received "a\nb<"' },
      { status: 'skipped', words: '' },
    ],
  });
  t.equal(figuresOf(report), '1 passed, 1 failure, 1 skipped');
  t.throws(() => readReport('<testsuites></testsuites>'), /no test/, 'a tool that could not start');
});

t.test('words are compared without what differs from run to run', async (t) => {
  const words = (text: string) =>
    readReport(`<testcase name="a" status="failure"><system-out>${text}</system-out></testcase>`).get('a')?.[0]?.words;
  const digest = 'a1'.repeat(32);
  t.equal(
    words(`Get https://127.0.0.1:5000/v2/conformance/edge-http2x1-one/blobs/sha256:${digest} (request 0a1b)`),
    'Get /v2/one/blobs/sha256:…',
  );
});

t.test('what the edge changes is better or worse, test by test', async (t) => {
  const report = (statuses: Record<string, string[]>): Report =>
    new Map(
      Object.entries(statuses).map(([name, all]) => [
        name,
        all.map((one) => ({ status: one.split(' ')[0] ?? '', words: one.split(' ')[1] ?? '' })),
      ]),
    );
  const direct = report({
    ...{ equal: ['passed', 'failure x'], order: ['failure x', 'passed'], better: ['failure x', 'passed'] },
    ...{ worse: ['passed'], skipped: ['passed'], fewer: ['passed', 'passed'], words: ['failure x'] },
    ...{ 'blobs/mount anonymous/head': ['passed'], 'blobs/mount anonymous/get': ['passed'] },
  });
  const edge = report({
    ...{ equal: ['passed', 'failure x'], order: ['passed', 'failure x'], better: ['passed', 'passed'] },
    ...{ worse: ['failure y'], skipped: ['skipped'], fewer: ['passed'], words: ['failure y'], more: ['passed'] },
    ...{ 'blobs/mount anonymous/head': ['skipped'], 'blobs/mount anonymous/get': ['failure x'] },
  });
  const kinds = Object.fromEntries(compareReports(direct, edge).map(({ name, kind }) => [name, kind]));
  t.strictSame(kinds, {
    ...{ better: 'better', worse: 'worse', skipped: 'worse', fewer: 'worse', words: 'same', more: 'worse' },
    ...{ 'blobs/mount anonymous/head': 'intended', 'blobs/mount anonymous/get': 'worse' },
  });
});
