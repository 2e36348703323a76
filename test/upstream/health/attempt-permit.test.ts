import t from 'tap';
import type { Failure } from '../../../src/failover/classify.ts';
import { AttemptPermit } from '../../../src/upstream/health/attempt-permit.ts';

t.test('what a failure says about the upstream', async (t) => {
  const rows: [Failure, string][] = [
    ['reset', 'bad'],
    ['status-5xx', 'bad'],
    ['first-byte', 'bad'],
    ['late', 'late'],
    ['content-lost', 'good'],
    ['descriptors', 'neutral'],
  ];
  for (const [reason, verdict] of rows) {
    const heard: string[] = [];
    const reports = {
      answer: (one: string) => heard.push(`answer ${one}`),
      body: (one: string) => heard.push(`body ${one}`),
      overload: () => heard.push('overload'),
    };
    const permit = new AttemptPermit(reports, () => heard.push('slot free'));
    permit.reportFailure(reason);
    permit.reportEnd('good');
    t.strictSame(heard, [`answer ${verdict}`, 'body neutral', 'slot free'], reason);
  }
});
