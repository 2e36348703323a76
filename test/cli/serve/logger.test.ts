import t from 'tap';
import { jsonLog } from '../../../src/cli/serve/logger.ts';
import { auditLogger } from '../../../src/proxy/reply/audit-line.ts';

t.test('only ordinary lines of requests wait to be written', async (t) => {
  const written: { urgent: boolean; line: Record<string, unknown> }[] = [];
  const log = jsonLog({ write: (line, urgent) => written.push({ urgent, line: JSON.parse(line) }) }, 'info');
  const requests = log.child({}, { redact: [] });
  const request = { kind: 'blob' };
  requests.info({ request }, 'request');
  requests.warn({ request }, 'request');
  requests.info({ audit: { action: 'login' }, request: { kind: 'token' } }, 'request');
  requests.info({ request }, 'request');
  log.info({ why: 'SIGHUP' }, 'reloaded');
  log.error('a request failed inside Breakwater');
  log.debug('not at this level');
  t.same(
    written.map(({ urgent }) => urgent),
    [false, true, true, false, true, true],
  );
  t.match(written[2]?.line, { audit: { action: 'login' }, msg: 'request', time: /^\d{4}-/ });
});

t.test('what tells who did what is written at any level', async (t) => {
  const written: { urgent: boolean; line: Record<string, unknown> }[] = [];
  const log = jsonLog({ write: (line, urgent) => written.push({ urgent, line: JSON.parse(line) }) }, 'error');
  auditLogger(log).info({ audit: { action: 'push' } }, 'request');
  log.info('not at this level');
  t.match(written, [{ urgent: true, line: { audit: { action: 'push' }, level: 'info' } }]);
  t.equal(written.length, 1);
  log.level = 'silent';
  auditLogger(log).info({ audit: { action: 'push' } }, 'request');
  t.equal(written.length, 1, 'but a log that is off is off');
});

t.test('a secret in an error of a library is not logged', async (t) => {
  const lines: string[] = [];
  const log = jsonLog({ write: (line) => lines.push(line) }, 'info');
  log.warn({ err: Object.assign(new Error('x'), { headers: { Authorization: 'Basic c2VjcmV0' } }) }, 'failed');
  t.notMatch(lines[0], /c2VjcmV0/);
});
