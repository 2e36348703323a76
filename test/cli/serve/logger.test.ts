import t from 'tap';
import { jsonLog } from '../../../src/cli/serve/logger.ts';

t.test('only ordinary lines of requests wait to be written', async (t) => {
  const written: { urgent: boolean; line: Record<string, unknown> }[] = [];
  const log = jsonLog({ write: (line, urgent) => written.push({ urgent, line: JSON.parse(line) }) }, 'info');
  const requests = log.child({}, { redact: [] });
  const request = { kind: 'blob' };
  requests.info({ request }, 'request');
  requests.warn({ request }, 'request');
  requests.info({ audit: true, request: { kind: 'token' } }, 'request');
  requests.info({ request }, 'request');
  log.info({ why: 'SIGHUP' }, 'reloaded');
  log.error('a request failed inside Breakwater');
  log.debug('not at this level');
  t.same(
    written.map(({ urgent }) => urgent),
    [false, true, true, false, true, true],
  );
  t.match(written[2]?.line, { audit: true, msg: 'request', time: /^\d{4}-/ });
});

t.test('a secret in an error of a library is not logged', async (t) => {
  const lines: string[] = [];
  const log = jsonLog({ write: (line) => lines.push(line) }, 'info');
  log.warn({ err: Object.assign(new Error('x'), { headers: { Authorization: 'Basic c2VjcmV0' } }) }, 'failed');
  t.notMatch(lines[0], /c2VjcmV0/);
});
